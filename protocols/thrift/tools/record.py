"""Record the vectors of this room from real peers, over the loopback: ``python protocols/thrift/tools/record.py [name…]``.

Each is one connection, as a relay has heard it. Those of ``apache-python-…`` are of the client and the server of
``tests/apache_python.py``; the others of `thrift_peers`, and need what these need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from thrift_peers import LIBRARIES
from thrift_stage import Stage, plain, several

from l7codecs.testing import Recording, Relay

ROOM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOM / "tests"))

import apache_python as peer  # noqa: E402

VECTORS = ROOM / "vectors"
SIZE_LIMIT = 12_000
"""Octets of one vector; a longer one is a mistake."""

PLAIN = (
    ("java", "java", "framed", "compact"),
    ("java", "java", "zlib", "json"),
    ("go", "go", "unframed", "binary"),
    ("go", "go", "zlib", "compact"),
    ("go", "java", "framed", "old-binary"),
    ("node", "java", "framed", "binary"),
    ("node", "node", "unframed", "json"),
    ("cpp", "cpp", "framed", "json"),
    ("cpp", "cpp", "header", "compact"),
    ("cpp", "thriftpy2", "unframed", "compact"),
    ("go", "python", "header", "binary"),
    ("go", "go", "header-zlib", "compact"),
    ("thriftpy2", "thriftpy2", "unframed", "binary"),
    ("thriftpy2", "thriftpy2", "framed", "thriftpy2-json"),
    ("node", "cpp", "http", "compact"),
)
"""Client, server, transport and encoding of calls of everything; the first connection."""
SEVERAL = (
    ("java", "go", "framed", "binary"),
    ("node", "java", "unframed", "compact"),
    ("thriftpy2", "cpp", "framed", "binary"),
)
"""The same of calls of several services."""


def apache_python(transport: str, encoding: str) -> Recording:
    """Apache Thrift for Python without generated code."""
    port, thread = peer.server(transport, encoding)
    with Relay(("127.0.0.1", port)) as relay:
        peer.talk(relay.host, relay.port, transport, encoding, "Shop" if transport == "framed" else "")
        (recording,) = relay.wait_closed()
    thread.join()
    return recording


def played(stage: Stage, client: str, server: str, transport: str, encoding: str) -> Recording:
    """Calls of everything."""
    infos = "tenant=blue,trace=30" if transport.startswith("header") else "-"
    calls = plain(client, server, transport, encoding)
    return stage.play(client, server, transport, encoding, calls, infos=infos).recordings[0]


def played_together(stage: Stage, client: str, server: str, transport: str, encoding: str) -> Recording:
    """Calls of several services."""
    return stage.play(client, server, transport, encoding, several(), multiplexed=True).recordings[0]


def all_of(stage: Stage) -> Iterator[tuple[str, str, Callable[[], Recording]]]:
    """Name and source of each vector, and what records it."""
    talks = [(transport, encoding) for transport in peer.TRANSPORTS for encoding in peer.PROTOCOLS]
    for transport, encoding in [*talks, ("header", "binary"), ("header", "compact")]:
        name = f"apache-python-{transport}-{encoding}"
        yield name, f"Apache Thrift {version('thrift')} for Python", partial(apache_python, transport, encoding)
    for client, server, transport, encoding in PLAIN:
        source = f"{LIBRARIES[client]} calls {LIBRARIES[server]}"
        yield (
            f"{client}-{server}-{transport}-{encoding}",
            source,
            partial(played, stage, client, server, transport, encoding),
        )
    for client, server, transport, encoding in SEVERAL:
        source = f"{LIBRARIES[client]} calls {LIBRARIES[server]}"
        record = partial(played_together, stage, client, server, transport, encoding)
        yield f"{client}-{server}-{transport}-{encoding}-services", source, record


def main(names: Sequence[str]) -> None:
    """Record those with these names, or all."""
    stage = Stage()
    try:
        for name, source, record in all_of(stage):
            if names and name not in names:
                continue
            vector = record().to_vector(name)
            assert 0 < vector.size <= SIZE_LIMIT, (name, vector.size)
            vector.save(VECTORS, f"{source}: python protocols/thrift/tools/record.py {name}")
            print(f"{name}: {vector.size} octets", flush=True)
    finally:
        stage.close()


if __name__ == "__main__":
    main(sys.argv[1:])
