"""What open HTTP/2 streams take, measured in a process of its own: ``python http2_memory.py N FILE``.

FILE holds the client's octets, N requests. Prints one JSON object: resident octets of each open stream, the octets of its request included.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

import l7codecs
from l7codecs import Limits, Sender, Session

READ_SIZE = 65_536
CLIENT_START = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4)
SERVER_START = bytes(3) + b"\x04\x00" + bytes(4) + bytes(3) + b"\x04\x01" + bytes(4)
CLIENT_ACK = bytes(3) + b"\x04\x01" + bytes(4)


def resident() -> int:
    """Octets of resident memory now."""
    return int(psutil.Process().memory_info().rss)


def open_session() -> Session:
    session = l7codecs.open_session("http2", limits=Limits(streams=20_000))
    for sender, octets in (
        (Sender.CLIENT, CLIENT_START),
        (Sender.SERVER, SERVER_START),
        (Sender.CLIENT, CLIENT_ACK),
    ):
        for _ in session.receive(sender, octets):
            pass
    return session


def open_streams(session: Session, path: Path, read_size: int = READ_SIZE, read_count: int = -1) -> int:
    """Feed the file in reads, each a new object as a socket's; returns the events that came."""
    count = 0
    with path.open("rb", buffering=0) as source:
        while read_count != 0 and (chunk := source.read(read_size)):
            read_count -= 1
            for event in session.receive(Sender.CLIENT, chunk):
                assert event.method  # type: ignore[union-attr]  # every event is a request
                count += 1
    return count


def main(count: int, path: Path) -> dict[str, float]:
    # What is set up at first use is there before. Only a few streams: the room that more of them leave in the heap would be used again.
    open_streams(open_session(), path, 4_096, 1)
    session = open_session()
    gc.collect()
    before = resident()
    events = open_streams(session, path)
    gc.collect()
    each = (resident() - before) / count
    return {"each": each, "open": session.pending, "events": events, "wire": path.stat().st_size / count}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
