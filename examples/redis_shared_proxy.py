"""Many Redis clients on one connection to each server: ``python redis_shared_proxy.py LISTEN_PORT PORT…``.

Which server has a key follows from the key. What would tie a client to its connection (MULTI, SELECT, SUBSCRIBE…) or keep others
waiting (BLPOP…) is refused. A turn of the loop makes one write for each connection, however many commands and answers came in it.
"""

import asyncio
import sys
from zlib import crc32

from l7codecs import Kind, L7Error, LimitExceeded, Message, Sender, Status, open_session

BUFFER = memoryview(bytearray(1 << 16))  # one for all: what is read into it is taken at once


class Leg(asyncio.BufferedProtocol):
    """One connection, and the session that plays a side of it."""

    def __init__(self, proxy, side):
        self.proxy, self.transport = proxy, None
        self.session, self.hears = open_session("redis", endpoint=side), side.other

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
        except L7Error:
            self.transport.close()


class Client(Leg):
    server = None  # that of the latest command: the rest of a large one follows it

    def take(self, events):
        proxy, server, one = self.proxy, self.server, self.proxy.one()
        waiting = proxy.waiting
        for event in events:
            if isinstance(event, Message):
                if event.pins or event.blocks:
                    server = self.refuse(event, Status.PERMISSION_DENIED, "not on a connection that clients share")
                    continue
                if event.kind is Kind.HEARTBEAT:
                    self.write(self.session.reply_heartbeat(event))
                    continue
                server = one or proxy.server_of(event.resources)
                if server is None:
                    self.refuse(event, Status.FAILED_PRECONDITION, "keys of several servers")
                    continue
            if server is not None:  # else it is the rest of what was refused
                server.session.put(event)
                waiting[server] = None
        self.server = server
        proxy.wake()
        if self.session.full:
            proxy.stop(self)

    def refuse(self, command, status, text):
        if command.kind is Kind.REQUEST:
            self.write(self.session.reply_error(command, status, f"{command.operation}: {text}"))

    def connection_made(self, transport):
        super().connection_made(transport)
        self.proxy.clients[self.session.flow] = self

    def connection_lost(self, error):
        self.transport = None
        del self.proxy.clients[self.session.flow]
        for request in self.session.unanswered():  # the last may be what it has not sent to its end
            for server in self.proxy.servers.values():
                server.write(server.session.cancel(request))  # nothing, where it was not sent
        self.proxy.check_servers()


class Server(Leg):
    def __init__(self, proxy, port):
        super().__init__(proxy, Sender.CLIENT)
        self.session.paused = True
        self.connecting = asyncio.ensure_future(
            asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        )
        self.connecting.add_done_callback(lambda it: it.cancelled() or (it.exception() and self.connection_lost(None)))

    def connection_made(self, transport):
        self.session.paused = False
        super().connection_made(transport)

    def take(self, events):
        proxy, flow, client = self.proxy, None, None
        for event in events:
            request = event.request if isinstance(event, Message) else event.message.request
            if request is None:
                continue  # a push: nobody has subscribed here
            if request.connection is not flow:
                flow = request.connection
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
        proxy.wake()

    def connection_lost(self, error):
        self.transport = None
        self.session.eof(Sender.SERVER)
        self.proxy.give_back(self)


class Proxy:
    def __init__(self, ports):
        self.ports, self.servers, self.clients = ports, {}, {}
        self.waiting, self.awake = {}, False  # legs that have something to write in this turn
        self.stopped = []  # clients that are not read

    def one(self):
        """The only server, if there is one only."""
        return self.server(0) if len(self.ports) == 1 else None

    def server_of(self, keys):
        """The server that has all of `keys`, if there is one."""
        numbers = {crc32(key) % len(self.ports) for key in keys} or {0}
        return self.server(*numbers) if len(numbers) == 1 else None

    def server(self, number):
        server = self.servers.get(number)
        if server is None or server.session.closing:
            server = self.servers[number] = Server(self, self.ports[number])
        return server

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
        full = any(server.session.full for server in self.servers.values())
        stopped, self.stopped = self.stopped, []
        for client in list(self.clients.values()) if full else stopped:
            if client.session.full or (full and not self.is_under_way(client)):
                self.stop(client)
            elif client.transport:
                client.transport.resume_reading()

    def is_under_way(self, client):
        """Whether a server waits for the rest of a command, and all others behind it."""
        flow = client.session.flow
        return any(head.connection is flow for each in self.servers.values() for head in each.session.streaming())

    def stop(self, client):
        """Read no more of what waits for too much already."""
        if client.transport and client not in self.stopped:
            client.transport.pause_reading()
            self.stopped.append(client)

    def check_servers(self):
        for server in self.servers.values():
            if server.session.closing and server.transport:
                server.transport.abort()  # a client has left inside of a command

    def give_back(self, server):
        for request in server.session.abandoned():
            client = self.clients.get(request.connection)
            if client is None:
                continue
            try:
                client.write(client.session.reply_error(request, Status.UNAVAILABLE, "the server is gone"))
            except L7Error:  # it has a part of its answer
                client.transport.abort()


async def main(port, *ports):
    proxy = Proxy([int(each) for each in ports])
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(proxy, Sender.SERVER), "127.0.0.1", int(port)
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
