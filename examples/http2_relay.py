"""An HTTP/2 and gRPC relay that routes every request: ``python http2_relay.py LISTEN_PORT PREFIX=PORT… PORT``."""

import asyncio
import sys

from l7codecs import Kind, Message, ProtocolError, Sender, Status, open_session


class Leg(asyncio.Protocol):
    """One connection, and the session that plays a side of it; `target`: a client's routes, a server's port."""

    def __init__(self, side, target, legs):
        self.session, self.hears, self.transport = open_session("http2", endpoint=side), side.other, None
        self.target, self.legs = target, legs  # all that serve one client: its own first, then those to servers
        legs.append(self)

    def connection_made(self, transport):
        self.transport = transport
        self.flush()

    def pause_writing(self):
        self.session.paused = True

    def resume_writing(self):
        self.session.paused = False
        self.flush()

    def data_received(self, octets):
        try:
            for event in self.session.receive(self.hears, octets):
                self.take(event)
        except ProtocolError:
            self.transport.close()  # behind the GOAWAY that flush writes
        self.flush()

    def flush(self):
        for leg in (*self.legs, self.legs[0]):  # the first again: what others have written may earn its peer credit
            for request in leg.session.abandoned():
                self.legs[0].transport.write(self.legs[0].session.reply_error(request, Status.UNAVAILABLE, "no server"))
            if leg.transport:
                leg.transport.write(leg.session.pending_output())


class Client(Leg):
    def take(self, event):
        if not isinstance(event, Message) or event.kind is not Kind.REQUEST:
            for leg in self.legs[1:]:
                leg.session.put(event)  # nothing, where it belongs to none of the streams there
        elif not event.error:
            port = next(port for prefix, port in self.target if (event.path or "").startswith(prefix))
            legs = [leg for leg in self.legs[1:] if leg.target == port and not leg.session.closing]
            (legs or [Server(Sender.CLIENT, port, self.legs)])[0].session.put(event)

    def connection_lost(self, error):
        for leg in self.legs[1:]:
            leg.transport.close() if leg.transport else leg.task.cancel()


class Server(Leg):
    def __init__(self, side, port, legs):
        super().__init__(side, port, legs)
        self.task = asyncio.create_task(asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port))
        self.task.add_done_callback(lambda it: it.cancelled() or (it.exception() and self.connection_lost(0)))

    def take(self, event):
        self.legs[0].session.put(event)

    def connection_lost(self, error):
        self.session.eof(Sender.SERVER)
        self.flush()
        self.legs.remove(self)


async def main(port, *routes):
    table = [(prefix, int(to)) for prefix, _, to in (route.rpartition("=") for route in routes)]
    server = await asyncio.get_running_loop().create_server(lambda: Client(Sender.SERVER, table, []), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
