"""An HTTP/2 and gRPC relay that routes every request: ``python http2_relay.py LISTEN_PORT PREFIX=PORT… PORT``."""

import asyncio
import sys

from l7codecs import Data, Kind, ProtocolError, Sender, Status, open_session

REQUEST = Kind.REQUEST  # Python 3.11 takes longer to look it up than to choose where a request goes


class Leg(asyncio.Protocol):
    """One connection, and the session that plays a side of it; `target`: a client's routes, a server's port."""

    def __init__(self, side, target, legs):
        self.session, self.hears, self.transport = open_session("http2", endpoint=side), side.other, None
        self.target, self.legs = target, legs  # all that serve one client: its own first, then those to servers
        self.newest = {}  # a client's, by port: the leg that takes requests
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
            self.flush()  # GOAWAY
            self.transport.close()
        self.flush()

    def flush(self):
        client = self.legs[0]
        for leg in (*self.legs, client):  # the first again: what others have written may earn its peer credit
            for request in leg.session.abandoned():
                client.write(client.session.reply_error(request, Status.UNAVAILABLE, "no server"))
            if leg.transport:
                leg.write(leg.session.pending_output())

    def write(self, octets):
        if octets and self.transport and not self.transport.is_closing():  # a client may be gone
            self.transport.write(octets)

    def connection_lost(self, error):
        self.transport = None


class Client(Leg):
    def take(self, event):
        if event.__class__ is Data or event.kind is not REQUEST:
            for leg in self.legs[1:]:
                leg.session.put(event)  # nothing, where it belongs to none of the streams there
        else:  # one that is malformed is refused by its own session, and written nowhere
            path = event.path or ""
            for prefix, port in self.target:
                if path.startswith(prefix):
                    leg = self.newest.get(port)
                    if leg is None or leg.session.closing:
                        leg = self.newest[port] = Server(Sender.CLIENT, port, self.legs)
                    return leg.session.put(event)

    def connection_lost(self, error):
        super().connection_lost(error)
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
        super().connection_lost(error)
        self.session.eof(Sender.SERVER)
        self.flush()
        self.legs.remove(self)


async def main(port, *routes):
    table = [(prefix, int(to)) for prefix, _, to in (route.rpartition("=") for route in routes)]
    server = await asyncio.get_running_loop().create_server(lambda: Client(Sender.SERVER, table, []), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
