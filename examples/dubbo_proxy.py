"""Dubbo consumers on one connection to each provider: ``python dubbo_proxy.py LISTEN_PORT RULE…``.

A rule is ``INTERFACE/METHOD?ATTACHMENT=VALUE@PORT,PORT…``; each name may be ``*``, and the question may be missing. The first rule that
fits a call has the providers for it: the first of these that is there. One that says that it shuts down gets no more calls, and answers
those that it has. One that dies is replaced by the next: what it had is answered with an error, since nobody knows whether it was done.
"""

import asyncio
import sys

from l7codecs import Kind, L7Error, LimitExceeded, Message, Sender, Status, open_session

HOST = "127.0.0.1"
REQUEST, ONEWAY, RESPONSE = Kind.REQUEST, Kind.ONEWAY, Kind.RESPONSE  # Python 3.11 takes long to look them up
BUFFER = memoryview(bytearray(1 << 16))  # one for all: what is read into it is taken at once
AWAY, STOPPING = 0.5, 20  # seconds until a provider is tried again


class Leg(asyncio.BufferedProtocol):
    """One connection, and the session that plays a side of it."""

    def __init__(self, proxy, side):
        self.proxy, self.transport = proxy, None
        self.session, self.hears = open_session("dubbo", endpoint=side), side.other

    def connection_made(self, transport):
        self.transport = transport
        self.proxy.dirty(self)

    def pause_writing(self):
        self.session.paused = True

    def resume_writing(self):
        self.session.paused = False
        self.proxy.dirty(self)

    def write(self, octets):
        if octets and self.transport:
            self.transport.write(octets)

    def get_buffer(self, size):
        return BUFFER

    def buffer_updated(self, size):
        try:
            self.take(self.session.receive(self.hears, BUFFER[:size]))
        except L7Error as error:
            print("closing:", error, file=sys.stderr)
            self.transport.abort()
        self.proxy.wake()

    def concerns_connection(self, event):
        """What is not passed on: heartbeats are answered here; whatever else no call needs."""
        if event.kind is Kind.HEARTBEAT:
            self.write(self.session.reply_heartbeat(event))
        elif event.kind is REQUEST:
            self.write(self.session.reply_error(event, Status.UNIMPLEMENTED, "no calls of providers here"))


class Client(Leg):
    server = None  # that of the latest call: the rest of a large one follows it

    def take(self, events):
        proxy, server = self.proxy, self.server
        for event in events:
            if isinstance(event, Message):
                kind = event.kind
                if kind is REQUEST or kind is ONEWAY:
                    server = proxy.send(self, event)
                else:
                    server = None
                    self.concerns_connection(event)
            elif server is not None:
                server.session.put(event)
                proxy.waiting[server] = None
        self.server = server
        if self.session.full:
            proxy.stop(self)

    def connection_made(self, transport):
        super().connection_made(transport)
        self.proxy.clients[self.session.flow] = self

    def connection_lost(self, error):
        self.transport = None
        del self.proxy.clients[self.session.flow]
        for call in self.session.unanswered():  # the last may be what it has not sent to its end
            for server in self.proxy.servers:
                server.write(server.session.cancel(call))  # nothing, where it was not sent
        for server in self.proxy.servers:
            if server.session.closing and not server.stopping and server.transport:
                server.serves = False
                server.transport.abort()  # it has left inside of a call

    def fail(self, call, text):
        if call.kind is REQUEST:
            try:
                self.write(self.session.reply_error(call, Status.UNAVAILABLE, text))
            except L7Error:  # it has a part of its answer, or nobody can write its serialization
                self.transport.abort()


class Server(Leg):
    serves, stopping = True, False

    def __init__(self, proxy, port):
        super().__init__(proxy, Sender.CLIENT)
        self.port, self.session.paused = port, True
        proxy.servers.add(self)
        self.connecting = asyncio.ensure_future(asyncio.get_running_loop().create_connection(lambda: self, HOST, port))
        self.connecting.add_done_callback(lambda it: it.cancelled() or (it.exception() and self.connection_lost(None)))

    def connection_made(self, transport):
        self.session.paused = False
        super().connection_made(transport)

    def take(self, events):
        proxy, flow, client = self.proxy, None, None
        for event in events:
            if isinstance(event, Message):
                if event.kind is not RESPONSE:
                    if event.kind is Kind.GOAWAY and not self.stopping:
                        self.serves, self.stopping = False, True
                        proxy.leave(self, STOPPING)
                    self.concerns_connection(event)
                    continue
                call = event.request
            else:
                call = getattr(event, "message", event).request
            if call is None:
                continue
            if call.connection is not flow:
                flow = call.connection
                client = proxy.clients.get(flow)
                if client is not None:
                    proxy.waiting[client] = None
            if client is None:
                continue  # it left while its answer came
            try:
                client.session.put(event)
            except LimitExceeded:  # it reads too little: the others go on
                client.transport.abort()
                client = None
        proxy.waiting[self] = None

    def connection_lost(self, error):
        reached, self.transport, self.serves = self.transport, None, False
        self.proxy.servers.discard(self)
        self.session.eof(Sender.SERVER)
        self.proxy.leave(self, AWAY)
        for call in self.session.abandoned():
            client = self.proxy.clients.get(call.connection)
            if client is not None:
                if reached:
                    client.fail(call, "the provider is gone")
                else:
                    self.proxy.send_elsewhere(client, call)


class Rule:
    def __init__(self, text):
        what, _, ports = text.rpartition("@")
        names, _, attachment = what.partition("?")
        self.service, _, self.method = names.partition("/")
        self.key, _, self.value = attachment.partition("=")
        self.ports = [int(port) for port in ports.split(",")]

    def names(self, service, method):
        return self.service in ("*", service) and self.method in ("*", method)


class Proxy:
    def __init__(self, rules):
        self.rules, self.named = rules, {}
        self.servers, self.clients = set(), {}
        self.chosen, self.away = {}, {}  # by port: what gets calls, and when it is tried again
        self.waiting, self.awake = {}, False  # legs that have something to write in this turn
        self.stopped = []  # clients that are not read

    def ports(self, call):
        """The providers for a call."""
        names = call.service, call.operation
        rules = self.named.get(names)
        if rules is None:
            if len(self.named) > 10_000:
                self.named.clear()
            rules = self.named[names] = [rule for rule in self.rules if rule.names(*names)]
        for rule in rules:
            if not rule.key or call.attachment(rule.key) == rule.value:
                return rule.ports
        return []

    def send(self, client, call):
        """Pass a call on, to where it goes; None where it goes nowhere."""
        server = self.find(call) or self.find(call, True)  # a provider that is away is better than none
        if server is None:
            client.fail(call, f"no provider for {call.service}.{call.operation}")
        else:
            server.session.put(call)
            self.waiting[server] = None
        return server

    def find(self, call, again=False):
        """The first provider for a call that is there."""
        for port in self.ports(call):
            server = self.chosen.get(port)
            if server is not None and server.serves:
                return server
            if again or self.away.get(port, 0) < asyncio.get_running_loop().time():
                self.chosen[port] = server = Server(self, port)
                return server
        return None

    def send_elsewhere(self, client, call):
        """As `send`, of what a provider has certainly not got."""
        server = None if call.more else self.find(call)
        if server is None:
            client.fail(call, "the provider is gone")
        else:
            server.session.put(call)
            self.dirty(server)

    def leave(self, server, seconds):
        """Give a provider no more calls for a while."""
        self.away[server.port] = asyncio.get_running_loop().time() + seconds
        for call in server.session.unprocessed():
            client = self.clients.get(call.connection)
            if client is not None:
                self.send_elsewhere(client, call)
        self.wake()

    def dirty(self, leg):
        self.waiting[leg] = None
        self.wake()

    def wake(self):
        """Write at the end of this turn of the loop."""
        if self.waiting and not self.awake:
            self.awake = True
            asyncio.get_running_loop().call_soon(self.turn)

    def turn(self):
        legs, self.waiting, self.awake = self.waiting, {}, False
        for leg in legs:
            leg.write(leg.session.pending_output())
        full = any(server.session.full for server in self.servers)
        stopped, self.stopped = self.stopped, []
        for client in list(self.clients.values()) if full else stopped:
            if client.session.full or (full and not self.is_under_way(client)):
                self.stop(client)
            elif client.transport:
                client.transport.resume_reading()

    def is_under_way(self, client):
        """Whether a provider waits for the rest of a call, and all others behind it."""
        flow = client.session.flow
        return any(head.connection is flow for each in self.servers for head in each.session.streaming())

    def stop(self, client):
        """Read no more of what waits for too much already."""
        if client.transport and client not in self.stopped:
            client.transport.pause_reading()
            self.stopped.append(client)


async def main(port, *rules):
    proxy = Proxy([Rule(each) for each in rules])
    server = await asyncio.get_running_loop().create_server(lambda: Client(proxy, Sender.SERVER), HOST, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
