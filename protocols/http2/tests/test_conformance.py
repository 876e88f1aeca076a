"""HTTP/2, gRPC and Triple keep every promise of the interface."""

from pathlib import Path

from l7codecs.message import Sender
from l7codecs.testing import ProtocolConformance, Vector, load_vectors

VECTORS = load_vectors(Path(__file__).parent.parent / "vectors")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class TestHttp2(ProtocolConformance):
    protocol = "http2"
    vectors = VECTORS
    # The preface, an upgrade and SETTINGS come once, and a stream ends once: in the DATA that has END_STREAM, or gRPC-Web's trailers.
    passing = (
        "_first", "_opening", "unacknowledged", ("_body_stream", "Http2Decoder.flags"), ("_body_stream", "envelopes._ends"),
        "h2-continuation", "h2-connect", "h2-extensions",
    )  # fmt: skip
    once = tuple(vector.name for vector in VECTORS)
    # Behind the HEADERS that are lost, a CONTINUATION is passed over, and the place behind it is told where nothing follows.
    misleading = ("h2-continuation",)
    memory = 128 * 1024  # zlib's window, and its first output
    # What an endpoint may send to any peer: CONNECT with :protocol has to be allowed first.
    exchanges = tuple(vector.name for vector in VECTORS if vector.name != "h2-connect")

    def large(self, size: int) -> list[Vector]:
        request = frame(1, 0x04, 1, bytes([0x83, 0x86, 0x84]))
        body = b"".join(frame(0, 0, 1, b"x" * 1000) for _ in range(size // 1000)) + frame(0, 1, 1, b"")
        block = bytes([0x83, 0x86, 0x84]) + b"\0\x01a\x01b" * (min(size, 16000) // 5)
        return [
            Vector("a long body", ((Sender.CLIENT, PREFACE + request + body),)),
            Vector("a long header block", ((Sender.CLIENT, PREFACE + frame(1, 0x04, 1, block)),)),
            Vector("an unknown frame", ((Sender.CLIENT, PREFACE + frame(0xBB, 0, 1, bytes(min(size, 16384)))),)),
        ]
