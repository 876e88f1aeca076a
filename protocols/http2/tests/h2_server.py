"""A server of HTTP/2 made of an endpoint session, for h2spec: ``python h2_server.py`` prints its port and answers every request."""

from __future__ import annotations

import asyncio
import contextlib

from l7codecs import Data, Event, Kind, Message, ProtocolError, Sender, Status, open_session

PATIENCE = 1.0
LATENCY = 0.05
"""In seconds."""


def whole(event: Event) -> Message | None:
    """The request that ends with `event`, unless it is malformed."""
    if isinstance(event, Data):
        request: Message | None = event.message
        ends = not event.more
    elif isinstance(event, Message) and event.kind in (Kind.REQUEST, Kind.TRAILERS):
        request = event if event.kind is Kind.REQUEST else event.request
        ends = not event.more and event.error is None
    else:
        return None
    # The request of trailers or of DATA may have been found to be malformed by them.
    return request if ends and request is not None and request.error is None else None


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer when nothing more comes for a while, as an application that needs its time: until then the streams are open."""
    session = open_session("http2", endpoint=Sender.SERVER)
    waiting: list[Message] = []
    reading = asyncio.ensure_future(reader.read(65536))
    with contextlib.suppress(ConnectionError, TimeoutError):
        while True:
            done, _ = await asyncio.wait([reading], timeout=LATENCY if waiting else None)
            if not done:
                for request in waiting:
                    writer.write(session.reply_error(request, Status.NOT_FOUND, "nothing here"))
                waiting.clear()
            elif octets := reading.result():
                try:
                    for event in session.receive(Sender.CLIENT, octets):
                        request = whole(event)
                        waiting += [request] if request is not None else []
                except ProtocolError:
                    writer.write(session.pending_output())
                    break
                reading = asyncio.ensure_future(reader.read(65536))
            else:
                break
            writer.write(session.pending_output())
            await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while await reader.read(65536):
                pass  # so that closing does not discard what was written
    reading.cancel()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
