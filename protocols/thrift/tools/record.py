"""Record vectors from Apache Thrift for Python, over the loopback: ``python protocols/thrift/tools/record.py``.

Each is one connection between the client and the server of ``tests/apache_python.py``, as a relay has heard it.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from l7codecs.testing import Relay

ROOM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOM / "tests"))

import apache_python as peer  # noqa: E402

VECTORS = ROOM / "vectors"


def main() -> None:
    """Record all."""
    talks = [(transport, encoding) for transport in peer.TRANSPORTS for encoding in peer.PROTOCOLS]
    for transport, encoding in [*talks, ("header", "binary"), ("header", "compact")]:
        name = f"apache-python-{transport}-{encoding}"
        port, thread = peer.server(transport, encoding)
        with Relay(("127.0.0.1", port)) as relay:
            peer.talk(relay.host, relay.port, transport, encoding, "Shop" if transport == "framed" else "")
            (recording,) = relay.wait_closed()
        thread.join()
        source = f"Apache Thrift {version('thrift')} for Python: python protocols/thrift/tools/record.py"
        recording.to_vector(name).save(VECTORS, source)


if __name__ == "__main__":
    main()
