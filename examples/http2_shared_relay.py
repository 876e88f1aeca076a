"""Many HTTP/2 and gRPC clients on one connection to each server: ``python http2_shared_relay.py LISTEN_PORT PREFIX=PORT… PORT``.

Every request goes where its path says. The session to a server gives each its stream, whatever client it comes from, and its answer says
whose it is. A client that goes away has its requests cancelled; the others do not notice.
"""

import asyncio
import sys

from l7codecs import Data, Kind, L7Error, Sender, Status, open_session


class Leg(asyncio.Protocol):
    """One connection, and the session that plays a side of it."""

    def __init__(self, relay, side):
        self.session, self.hears, self.transport = open_session("http2", endpoint=side), side.other, None
        self.relay = relay

    def connection_made(self, transport):
        self.transport = transport
        self.relay.wake()

    def pause_writing(self):
        self.session.paused = True

    def resume_writing(self):
        self.session.paused = False
        self.relay.wake()

    def data_received(self, octets):
        try:
            for event in self.session.receive(self.hears, octets):
                self.take(event)
        except L7Error:
            self.write(self.session.pending_output())  # GOAWAY
            self.transport.close()
        self.relay.wake()

    def write(self, octets):
        if octets and self.transport and not self.transport.is_closing():
            self.transport.write(octets)


class Client(Leg):
    def connection_made(self, transport):
        self.relay.clients[self.session.flow] = self
        super().connection_made(transport)

    def take(self, event):
        if isinstance(event, Data) or event.kind is not Kind.REQUEST:
            for server in self.relay.servers:
                server.session.put(event)  # nothing, where it belongs to none of the streams there
        elif not event.error:
            self.relay.server_of(event.path or "").session.put(event)

    def connection_lost(self, error):
        self.transport = None
        del self.relay.clients[self.session.flow]
        for request in self.session.unanswered():
            for server in self.relay.servers:
                server.write(server.session.cancel(request))  # RST_STREAM, where it was sent


class Server(Leg):
    def __init__(self, relay, port):
        super().__init__(relay, Sender.CLIENT)
        relay.servers.append(self)
        loop = asyncio.get_running_loop()
        self.connecting = loop.create_task(loop.create_connection(lambda: self, "127.0.0.1", port))
        self.connecting.add_done_callback(lambda it: it.cancelled() or (it.exception() and self.connection_lost(None)))

    def take(self, event):
        request = event.message.request if isinstance(event, Data) else event.request
        client = self.relay.clients.get(request.connection) if request else None
        if client:
            client.session.put(event)

    def connection_lost(self, error):
        self.transport = None
        self.session.eof(Sender.SERVER)
        self.relay.turn()
        self.relay.servers.remove(self)


class Relay:
    def __init__(self, routes):
        self.routes, self.clients, self.servers, self.newest = routes, {}, [], {}
        self.awake = False

    def server_of(self, path):
        port = next(port for prefix, port in self.routes if path.startswith(prefix))
        server = self.newest.get(port)
        if server is None or server.session.closing:  # what is under way on the old one goes on
            server = self.newest[port] = Server(self, port)
        return server

    def wake(self):
        """Write at the end of this turn of the loop, once for each connection."""
        if not self.awake:
            self.awake = True
            asyncio.get_running_loop().call_soon(self.turn)

    def turn(self):
        self.awake = False
        for server in self.servers:
            for request in server.session.abandoned():
                client = self.clients.get(request.connection)
                if client:
                    client.write(client.session.reply_error(request, Status.UNAVAILABLE, "no server"))
            if server.transport:
                server.write(server.session.pending_output())
        full = any(server.session.full for server in self.servers)
        under_way = {head.connection for server in self.servers for head in server.session.streaming()} if full else ()
        for flow, client in self.clients.items():  # behind the servers: what was written there earns credit
            client.write(client.session.pending_output())
            if client.transport and full and flow not in under_way:
                client.transport.pause_reading()
            elif client.transport:
                client.transport.resume_reading()


async def main(port, *routes):
    relay = Relay([(prefix, int(to)) for prefix, _, to in (route.rpartition("=") for route in routes)])
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(relay, Sender.SERVER), "127.0.0.1", int(port)
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
