"""Thrift clients on one connection to each server: ``python thrift_proxy.py LISTEN_PORT RULE…``.

A rule is ``NAME@PORT,PORT…``. NAME is that of a method, with its service before a colon where clients write one, and may have ``*``. The
first rule that fits a call has the servers for it: the first of these that is there. Clients that speak in one transport and encoding share
a connection, whatever ids they write. A server that dies is replaced by the next: what it had is answered with an error, since nobody knows
whether it was done; not so what nobody waits for, one-way calls, which Go writes as calls.
"""

import asyncio
import sys
from fnmatch import fnmatchcase

from l7codecs import Kind, L7Error, LimitExceeded, Message, Sender, Status, open_session

HOST = "127.0.0.1"
REQUEST, ONEWAY = Kind.REQUEST, Kind.ONEWAY  # Python 3.11 takes long to look them up
BUFFER = memoryview(bytearray(1 << 16))  # one for all: what is read into it is taken at once
UPGRADE = "__can__finagle__trace__v3__"  # asks for a struct before each message, for the whole connection
AWAY = 0.5  # seconds until a server is tried again
TURNS = 2  # from which on a client is taken for one that asks one call at a time
NAMES = 10_000  # that are remembered


class Leg(asyncio.BufferedProtocol):
    """One connection, and the session that plays a side of it."""

    def __init__(self, proxy, side):
        self.proxy, self.transport = proxy, None
        self.session, self.hears = open_session("thrift", endpoint=side), side.other

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


class Client(Leg):
    server = None  # that of the latest call: the rest of a large one follows it
    latest = None  # call
    turns = 0  # how often in a row it has asked nothing more before it was answered

    def __init__(self, proxy, side):
        super().__init__(proxy, side)
        self.routes = {}  # by name: the server of the latest call of it

    def take(self, events):
        proxy, server, routes = self.proxy, self.server, self.routes
        for event in events:
            if isinstance(event, Message):
                kind = event.kind
                if kind is REQUEST or kind is ONEWAY:
                    before, self.latest = self.latest, event
                    if before is not None and before.name not in proxy.answered and self.turns >= TURNS:
                        proxy.one_way[before.name] = None  # it has gone on without
                    server = routes.get(event.name)
                    if server is None or not server.serves or kind is ONEWAY:
                        server = proxy.send(self, event)
                    else:
                        server.session.put(event)
                        proxy.waiting[server] = None
                else:
                    server = None  # a frame with no message
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
        self.transport = self.latest = None
        del self.proxy.clients[self.session.flow]
        for call in self.session.unanswered():  # the last may be what it has not sent to its end
            for server in self.proxy.servers:
                server.write(server.session.cancel(call))  # nothing, where it was not sent
        for server in self.proxy.servers:
            if server.session.closing and server.transport:
                server.serves = False
                server.transport.abort()  # it has left inside of a call

    def fail(self, call, text, status=Status.UNAVAILABLE):
        if call.kind is REQUEST and not self.proxy.is_one_way(call):
            try:
                self.write(self.session.reply_error(call, status, text))
            except L7Error:  # it has a part of its answer, or nobody can write such
                self.transport.abort()


class Server(Leg):
    serves = True

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
        proxy, flow, client, answered = self.proxy, None, None, self.proxy.answered
        for event in events:
            call = getattr(event, "message", event).request
            if call is None:
                continue
            answered[call.name] = None
            if call.connection is not flow:
                flow = call.connection
                client = proxy.clients.get(flow)
                if client is not None:
                    proxy.waiting[client] = None
            if client is None:
                continue  # it left while its answer came
            client.turns = client.turns + 1 if call is client.latest else -NAMES
            try:
                client.session.put(event)
            except LimitExceeded:  # it reads too little: the others go on
                client.transport.abort()
                client = None
        proxy.waiting[self] = None

    def connection_lost(self, error):
        reached, self.transport, self.serves = self.transport, None, False
        proxy = self.proxy
        proxy.servers.discard(self)
        self.session.eof(Sender.SERVER)
        proxy.away[self.port] = asyncio.get_running_loop().time() + AWAY
        unseen = self.session.unprocessed()
        for call in [*unseen, *self.session.abandoned()]:
            client = proxy.clients.get(call.connection)
            if client is None:
                continue
            if reached and call not in unseen:
                client.fail(call, "the server is gone")
            else:
                proxy.send_elsewhere(client, call)
        proxy.wake()


class Proxy:
    def __init__(self, rules):
        self.rules = [
            (name, [int(port) for port in ports.split(",")])
            for name, _, ports in (each.rpartition("@") for each in rules)
        ]
        self.servers, self.clients = set(), {}
        self.chosen, self.away = (
            {},
            {},
        )  # by port, transport and encoding: what gets calls; by port: when it is tried again
        self.answered, self.one_way = {}, {}  # names of calls, as in sets
        self.waiting, self.awake = {}, False  # legs that have something to write in this turn
        self.stopped = []  # clients that are not read

    def send(self, client, call):
        """Pass a call on, to where it goes; None where it goes nowhere."""
        name = call.name
        for known in (self.answered, self.one_way, client.routes):
            if len(known) > NAMES:
                known.clear()
        if call.kind is ONEWAY:
            self.one_way[name] = None
        server = self.find(call) or self.find(call, True)  # a server that is away is better than none
        try:
            if server is None or name == UPGRADE:
                client.fail(call, f"Unknown function {name}", Status.UNIMPLEMENTED)
                return None
            server.session.put(call)
        except L7Error as error:  # a stream of zlib
            client.fail(call, str(error), Status.UNIMPLEMENTED)
            return None
        client.routes[name] = server
        self.waiting[server] = None
        return server

    def find(self, call, again=False):
        """The first server for a call that is there."""
        name = call.name
        for port in next((ports for rule, ports in self.rules if fnmatchcase(name, rule)), ()):
            key = port, call.transport, call.encoding
            server = self.chosen.get(key)
            if server is not None and server.serves:
                return server
            if again or self.away.get(port, 0) < asyncio.get_running_loop().time():
                self.chosen[key] = server = Server(self, port)
                return server
        return None

    def send_elsewhere(self, client, call):
        """As `send`, of what a server has certainly not got."""
        server = None if call.more else self.find(call)
        if server is None:
            client.fail(call, "the server is gone")
        else:
            server.session.put(call)
            self.dirty(server)

    def is_one_way(self, call):
        """Whether nobody waits for the answer to what is written as a call.

        So it is of a method that was never answered, where others write it as a one-way call, or where somebody who asks one call at a time
        has gone on without.
        """
        return call.name in self.one_way and call.name not in self.answered

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
        """Whether a server waits for the rest of a call, and all others behind it."""
        flow = client.session.flow
        return any(head.connection is flow for each in self.servers for head in each.session.streaming())

    def stop(self, client):
        """Read no more of what waits for too much already."""
        if client.transport and client not in self.stopped:
            client.transport.pause_reading()
            self.stopped.append(client)


async def main(port, *rules):
    proxy = Proxy(rules)
    server = await asyncio.get_running_loop().create_server(lambda: Client(proxy, Sender.SERVER), HOST, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
