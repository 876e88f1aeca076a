"""An HTTP/2 and gRPC relay that routes every request: ``python http2_relay.py LISTEN_PORT PREFIX=PORT… PORT``."""

import asyncio
import sys

import l7codecs
from l7codecs import Kind, Message, ProtocolError, Sender, Status, Unsupported


class Leg(asyncio.Protocol):
    """One connection, and the session that plays a side of it: paused while the connection is not there, or full."""

    def __init__(self, side, legs):
        self.session = l7codecs.open_session("http2", endpoint=side)
        self.session.paused = True
        self.legs, self.hears, self.transport = legs, side.other, None
        legs.append(self)  # all that serve one client: its own first, then those to servers

    def connection_made(self, transport):
        self.transport = transport
        self.resume_writing()

    def pause_writing(self):
        self.session.paused = True

    def resume_writing(self):
        self.session.paused = False
        self.flush()

    def data_received(self, octets):
        try:
            for event in self.session.receive(self.hears, octets):
                self.take(event)
        except ProtocolError as error:
            print(error, file=sys.stderr)
            self.transport.close()  # behind the GOAWAY that flush writes
        self.flush()

    def flush(self):
        for leg in (*self.legs, self.legs[0]):  # the first again: what others have written may earn its peer credit
            if leg.transport:
                leg.transport.write(leg.session.pending_output())


class Client(Leg):
    """A client's connection. Each server that its requests go to gets one of its own."""

    def __init__(self, routes):
        super().__init__(Sender.SERVER, [])
        self.routes, self.servers = routes, {}

    def take(self, event):
        if not isinstance(event, Message) or event.kind is not Kind.REQUEST:
            for leg in self.legs[1:]:
                leg.session.put(event)  # nothing, where it belongs to none of the streams there
        elif not event.error:
            port = next(port for prefix, port in self.routes if (event.path or "").startswith(prefix))
            if port not in self.servers or self.servers[port].session.closing:
                self.servers[port] = Server(self.legs, port)
            try:
                self.servers[port].session.put(event)
            except Unsupported as error:
                self.transport.write(self.session.reply_error(event, Status.UNIMPLEMENTED, str(error)))

    def connection_lost(self, error):
        for leg in self.legs[1:]:
            leg.transport.close() if leg.transport else leg.task.cancel()


class Server(Leg):
    """A connection to a server, for one client."""

    def __init__(self, legs, port):
        super().__init__(Sender.CLIENT, legs)
        self.task = asyncio.create_task(self.connect(port))

    async def connect(self, port):
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        except OSError as error:
            self.connection_lost(error)

    def take(self, event):
        self.legs[0].session.put(event)
        self.refuse(self.session.unprocessed())  # behind GOAWAY: the client may try again

    def refuse(self, requests):
        for request in requests:
            self.legs[0].transport.write(self.legs[0].session.reply_error(request, Status.UNAVAILABLE, "no server"))

    def connection_lost(self, error):
        self.session.eof(Sender.SERVER)
        self.refuse(self.session.unanswered())
        self.legs.remove(self)
        self.flush()


async def main(port, *routes):
    table = [(prefix, int(to)) for prefix, _, to in (route.rpartition("=") for route in routes)]
    server = await asyncio.get_running_loop().create_server(lambda: Client(table), "127.0.0.1", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
