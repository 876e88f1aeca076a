"""Redis keeps every promise of the interface."""

from pathlib import Path

from l7codecs.message import Sender
from l7codecs.testing import ProtocolConformance, Vector, load_vectors


class TestRedis(ProtocolConformance):
    protocol = "redis"
    vectors = load_vectors(Path(__file__).parent.parent / "vectors")
    passing = ("_replication", "answered_database")  # a connection is handed over once
    once = ("replication",)
    # Inside of a transaction, of a monitor's or a replica's connection, or of RESP3, an answer means something else than outside.
    stateful = ("monitor", "replication-rdb-channel", "resp3-subscribe", "subscribe-in-transaction")
    # A session that joins midway knows neither the version nor how many confirmations a SUBSCRIBE of an EXEC gives.
    misleading = ("resp3-subscribe", "resp3-types", "subscribe-in-transaction")

    def large(self, size: int) -> list[Vector]:
        forms = {
            "a long value": (Sender.CLIENT, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (size, b"v" * size)),
            "many keys": (Sender.CLIENT, b"*%d\r\n$3\r\nDEL\r\n%s" % (size // 7 + 1, b"$1\r\nk\r\n" * (size // 7))),
            "a long line": (Sender.CLIENT, b"ECHO " + b"x" * size + b"\r\n"),
            "a long string": (Sender.SERVER, b"$%d\r\n%s\r\n" % (size, b"v" * size)),
            "a long array": (Sender.SERVER, b"*%d\r\n%s" % (size // 4, b":1\r\n" * (size // 4))),
            "a deep array": (Sender.SERVER, b"*2\r\n:1\r\n" * 60 + b"$%d\r\n%s\r\n" % (size, b"v" * size)),
            "a long error": (Sender.SERVER, b"-ERR " + b"x" * size + b"\r\n"),
            "a streamed string": (Sender.SERVER, b"$?\r\n" + b";5\r\nhello\r\n" * (size // 11) + b";0\r\n"),
            "a streamed array": (Sender.SERVER, b"*?\r\n" + b"+a\r\n" * (size // 4) + b".\r\n"),
        }
        return [Vector(name, (piece,)) for name, piece in forms.items()]
