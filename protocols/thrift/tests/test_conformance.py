"""Thrift keeps every promise of the interface."""

import zlib
from pathlib import Path
from struct import pack

import l7codecs
from l7codecs.message import Sender
from l7codecs.testing import ProtocolConformance, Vector, check_cuts, load_vectors
from l7codecs.testing.conformance.golden import Golden
from l7codecs.testing.conformance.messages import Messages
from l7codecs.testing.conformance.pairing import Pairs

C, S = Sender.CLIENT, Sender.SERVER
EVERY = tuple(load_vectors(Path(__file__).parent.parent / "vectors"))
VECTORS = tuple(each for each in EVERY if each.name.startswith("made-"))
"""Short ones, that have among them what the others have: each of them is cut at every octet, in many tests."""


def strict(name: bytes, kind: int, seqid: int, body: bytes) -> bytes:
    return b"\x80\x01\x00" + bytes([kind]) + pack(">i", len(name)) + name + pack(">i", seqid) + body


def flushed(octets: bytes) -> bytes:
    machine = zlib.compressobj(0)
    return machine.compress(octets) + machine.flush(zlib.Z_SYNC_FLUSH)


def chunked(octets: bytes, size: int) -> bytes:
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    said = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces)
    return (
        b"POST / HTTP/1.1\r\nContent-Type: application/x-thrift\r\nTransfer-Encoding: chunked\r\n\r\n"
        + said
        + b"0\r\n\r\n"
    )


def frame(octets: bytes) -> bytes:
    return pack(">i", len(octets)) + octets


class TestThrift(ProtocolConformance):
    protocol = "thrift"
    vectors = VECTORS
    passing = ("made-zlib, ",)  # a stream of zlib goes on, and its answers are none of what comes again
    memory = 72 * 1024  # zlib's window
    golden = False  # of all vectors: below
    # A stream of zlib, and what is agreed on for a connection, belong to it.
    once = ("made-zlib",)
    stateful = ("made-zlib",)
    exchanges = tuple(each.name for each in VECTORS if each.name not in ("made-zlib",))

    def large(self, size: int) -> list[Vector]:
        text = b"\x0b\x00\x01" + pack(">i", size) + bytes(size) + b"\x00"
        numbers = b"\x0f\x00\x00\x08" + pack(">i", size // 4) + bytes(size // 4 * 4) + b"\x00"
        words = b"\x0f\x00\x00\x0b" + pack(">i", size // 8) + (b"\x00\x00\x00\x04name" * (size // 8)) + b"\x00"
        compact = b"\x82\x21\x01\x05hello\x18" + varint(size) + bytes(size) + b"\x00"
        json = b'[1,"hello",1,1,{"1":{"str":"' + b"a" * size + b'"}}]'
        call = strict(b"hello", 1, 1, text)
        header = b"\x0f\xff\0\0\0\0\0\1\0\1\0\0\0\0"
        post = b"POST / HTTP/1.1\r\nContent-Type: application/x-thrift\r\nContent-Length: %d\r\n\r\n" % len(call)
        return [
            Vector("a long call in a frame", ((C, frame(call)), (S, frame(strict(b"hello", 2, 1, b"\0"))))),
            Vector("a long call", ((C, call), (S, strict(b"hello", 2, 1, b"\0")))),
            Vector("a long list", ((C, strict(b"hello", 1, 1, b"\0")), (S, strict(b"hello", 2, 1, numbers)))),
            Vector("many words", ((C, strict(b"hello", 1, 1, b"\0")), (S, strict(b"hello", 2, 1, words)))),
            Vector("a long compact call", ((C, compact),)),
            Vector("a long call in JSON", ((C, json),)),
            Vector("a long call with THeader", ((C, frame(header + call)),)),
            Vector(
                "a long call in a stream of zlib", ((C, flushed(call)), (S, flushed(strict(b"hello", 2, 1, b"\0"))))
            ),
            Vector("a long call by HTTP", ((C, post + call),)),
            Vector("a long call by HTTP in chunks", ((C, chunked(call, max(1, size // 3))),)),
        ]


class TestEveryVector(Golden, Messages, Pairs):
    """What does not take long, of all of them."""

    protocol = "thrift"
    vectors = EVERY
    once = tuple(each.name for each in EVERY if "zlib" in each.name)
    stateful = once

    def test_any_reads_say_the_same(self, vector: Vector) -> None:
        outcome = check_cuts(lambda: l7codecs.open_session("thrift"), vector)
        assert not outcome.errors
        for sender in Sender:
            assert outcome.raw(sender) == vector.octets(sender)


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
