"""An HTTP/2 and gRPC relay with per-request routing: ``python http2_relay.py LISTEN_PORT PREFIX=PORT… PORT``.

Each client's connection gets one connection to each server that its requests go to. Every session plays one side of
one connection; what is received on one is sent
on another. A request goes to the first server whose prefix begins its path, else to the last.
"""

import asyncio
import sys

import l7codecs
from l7codecs import Message, ProtocolError, Sender, Session, Status

CLIENT, SERVER = Sender.CLIENT, Sender.SERVER
QUEUED = 1 << 20  # octets that may wait for a window before we read less


class Leg:
    """One connection: a session that plays `side`, and where its octets go."""

    def __init__(self, side: Sender, writer: asyncio.StreamWriter) -> None:
        self.session: Session = l7codecs.open_session("http2", endpoint=side)
        self.hears = side.other
        self.writer = writer
        self.writer.write(self.session.pending_output())

    def receive(self, octets: bytes):
        """The events of what was read; then what is owed is written."""
        try:
            yield from self.session.receive(self.hears, octets)
        finally:
            self.writer.write(self.session.pending_output())


async def serve(reader, writer, routes) -> None:
    """Relay one client's connection."""
    down, ups, owner = Leg(SERVER, writer), {}, {}

    async def upstream(port: int) -> Leg:
        if port not in ups:
            answers, requests = await asyncio.open_connection("127.0.0.1", port)
            ups[port] = Leg(CLIENT, requests)
            tasks.append(asyncio.create_task(pump(answers, ups[port], lambda event: answer(event))))
        return ups[port]

    async def request(event) -> None:
        head = event if isinstance(event, Message) else event.message
        head = head.request or head  # of trailers and resets: the request
        if isinstance(event, Message) and event.kind is l7codecs.Kind.REQUEST and not event.error:
            port = next(port for prefix, port in routes if event.path.startswith(prefix))
            try:
                owner[head] = await upstream(port)
            except OSError:
                writer.write(down.session.reply_error(event, Status.UNAVAILABLE, "no server"))
        if head in owner and not (isinstance(event, Message) and event.error == "PROTOCOL_ERROR"):
            owner[head].writer.write(owner[head].session.send(event))

    async def answer(event) -> None:
        writer.write(down.session.send(event))

    async def pump(reader, leg, handle) -> None:
        while octets := await reader.read(65536):
            for event in leg.receive(octets):
                await handle(event)
            for other in [other for other in (down, *ups.values()) if other is not leg]:
                while other.session.queued > QUEUED:  # its own pump will widen the window
                    await asyncio.sleep(0.001)
                await other.writer.drain()

    tasks: list[asyncio.Task] = []
    try:
        await pump(reader, down, request)
    except (ProtocolError, ConnectionError) as error:
        print(error, file=sys.stderr)
    finally:
        for leg in (down, *ups.values()):
            leg.writer.close()


async def main(port: str, *routes: str) -> None:
    """Listen, and relay."""
    table = [(prefix, int(to)) for prefix, _, to in (route.rpartition("=") for route in routes)]
    server = await asyncio.start_server(lambda r, w: serve(r, w, table), "127.0.0.1", int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
