"""Make the vectors that no peer has to be run for: ``python protocols/thrift/tools/made.py`` writes vectors/made-*.txt.

What they show stands in their names; the octets are put together here from the layouts that the room's modules draw.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path
from struct import pack

from l7codecs import Sender
from l7codecs.testing import Vector

C, S = Sender.CLIENT, Sender.SERVER
CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4
HERE = Path(__file__).resolve().parent.parent / "vectors"


def field(kind: int, number: int, value: bytes) -> bytes:
    """A field."""
    return pack(">bh", kind, number) + value


def text(number: int, value: str | bytes) -> bytes:
    """A field with a string."""
    octets = value.encode() if isinstance(value, str) else value
    return field(11, number, pack(">i", len(octets)) + octets)


def i32(number: int, value: int) -> bytes:
    """A field with a number."""
    return field(8, number, pack(">i", value))


def struct(*fields: bytes) -> bytes:
    """Fields, and the end."""
    return b"".join(fields) + b"\0"


def strict(name: str, kind: int, seqid: int, body: bytes = b"\0") -> bytes:
    """Strict binary."""
    octets = name.encode()
    return b"\x80\x01\x00" + bytes([kind]) + pack(">i", len(octets)) + octets + pack(">i", seqid) + body


def old(name: str, kind: int, seqid: int, body: bytes = b"\0") -> bytes:
    """Old binary."""
    octets = name.encode()
    return pack(">i", len(octets)) + octets + bytes([kind]) + pack(">i", seqid) + body


def varint(number: int) -> bytes:
    """A number of compact."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def compact(name: str, kind: int, seqid: int, body: bytes = b"\0") -> bytes:
    """Compact."""
    octets = name.encode()
    return bytes([0x82, kind << 5 | 1]) + varint(seqid & 0xFFFFFFFF) + varint(len(octets)) + octets + body


def short(delta: int, value: str) -> bytes:
    """A string of compact."""
    octets = value.encode()
    return bytes([delta << 4 | 8]) + varint(len(octets)) + octets


def json(name: str, kind: int, seqid: int, body: str = "{}") -> bytes:
    """Apache's JSON."""
    return f'[1,"{name}",{kind},{seqid},{body}]'.encode()


def frame(octets: bytes) -> bytes:
    """In a frame."""
    return pack(">i", len(octets)) + octets


def named_json(name: str, kind: int, seqid: int, payload: str) -> bytes:
    """thriftpy2's JSON."""
    said = (
        f'{{"metadata": {{"version": 1, "name": "{name}", "ttype": {kind}, "seqid": {seqid}}}, "payload": {payload}}}'
    )
    return frame(said.encode())


def header(
    message: bytes, seqid: int, protocol: int = 0, transforms: tuple[int, ...] = (), infos: dict[str, str] | None = None
) -> bytes:
    """A frame with THeader."""
    said = varint(protocol) + varint(len(transforms)) + b"".join(map(varint, transforms))
    if infos:
        said += b"\x01" + varint(len(infos))
        for pair in infos.items():
            said += b"".join(varint(len(each.encode())) + each.encode() for each in pair)
    said += b"\0" * (-len(said) % 4)
    return frame(b"\x0f\xff\0\0" + pack(">iH", seqid, len(said) // 4) + said + message)


def ttheader(message: bytes, seqid: int, numbered: dict[int, str], named: dict[str, str]) -> bytes:
    """A frame with TTHeader."""
    said = b"\0\0\x10" + pack(">H", len(numbered))
    for number, value in numbered.items():
        said += pack(">HH", number, len(value)) + value.encode()
    said += b"\x01" + pack(">H", len(named))
    for key, value in named.items():
        said += pack(">H", len(key)) + key.encode() + pack(">H", len(value)) + value.encode()
    said += b"\0" * (-len(said) % 4)
    return frame(b"\x10\x00\0\0" + pack(">iH", seqid, len(said) // 4) + said + message)


def flushed(octets: bytes) -> bytes:
    """zlib, ended by a flush."""
    machine = zlib.compressobj()
    return machine.compress(octets) + machine.flush(zlib.Z_SYNC_FLUSH)


def ttext(name: str, kind: str, seqid: int, args: str) -> bytes:
    """Armeria's TTEXT."""
    return f'{{\n  "method" : "{name}",\n  "type" : "{kind}",\n  "seqid" : {seqid},\n  "args" : {args}\n}}'.encode()


def post(octets: bytes, kind: str = "application/x-thrift", chunked: bool = False, coding: str = "") -> bytes:
    """A request of HTTP."""
    head = f"POST /svc HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n".encode() + coded(coding)
    if not chunked:
        return head + f"Content-Length: {len(octets)}\r\n\r\n".encode() + octets
    half = len(octets) // 2
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (octets[:half], octets[half:]))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


def coded(coding: str) -> bytes:
    """The field of a content coding, if there is one."""
    return f"Content-Encoding: {coding}\r\n".encode() if coding else b""


def answer(octets: bytes, status: str = "200 OK", kind: str = "application/x-thrift", coding: str = "") -> bytes:
    """An answer of HTTP."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n".encode() + coded(coding)
    return head + f"Content-Length: {len(octets)}\r\n\r\n".encode() + octets


BOB = struct(text(1, "bob"))
HI = struct(text(0, "hi bob"))
UNKNOWN = struct(text(1, "Unknown function notThere"), i32(2, 1))


def upgraded() -> list[tuple[Sender, bytes]]:
    """What Finagle agrees on, and says then."""
    ask = "__can__finagle__trace__v3__"
    request = struct(field(10, 1, pack(">q", 7)), field(10, 2, pack(">q", 9)), field(15, 8, b"\x0c" + pack(">i", 0)))
    return [
        (C, frame(strict(ask, CALL, 0))),
        (S, frame(strict(ask, REPLY, 0))),
        (C, frame(request + strict("hello", CALL, 77, BOB))),
        (S, frame(b"\0" + strict("hello", REPLY, 77, HI))),
        (C, frame(request + strict("hello", CALL, 78, BOB))),
        (S, frame(struct(text(1, "x")) + strict("hello", EXCEPTION, 78, struct(text(1, "no"), i32(2, 6))))),
    ]


def streams() -> list[tuple[Sender, bytes]]:
    """Both directions in streams of zlib."""
    one, other = zlib.compressobj(), zlib.compressobj()
    found = []
    for number in (1, 2, 3):
        asked = strict("hello", CALL, number, BOB)
        found.append((C, one.compress(asked) + one.flush(zlib.Z_SYNC_FLUSH)))
        told = strict("hello", REPLY, number, HI)
        found.append((S, other.compress(told) + other.flush(zlib.Z_SYNC_FLUSH)))
    return found


VECTORS: dict[str, list[tuple[Sender, bytes]]] = {
    "framed": [
        (C, frame(strict("hello", CALL, 1, BOB))),
        (S, frame(strict("hello", REPLY, 1, HI))),
        (C, frame(strict("Shop:nothing", CALL, 2))),
        (S, frame(strict("nothing", REPLY, 2))),
        (C, frame(strict("fire", ONEWAY, 3, struct(i32(1, 5)))) + frame(strict("declared", CALL, 4, BOB))),
        (S, frame(strict("declared", REPLY, 4, struct(field(12, 1, struct(text(1, "why"), i32(2, 7))))))),
        (C, frame(strict("notThere", CALL, -5))),
        (S, frame(strict("notThere", EXCEPTION, -5, UNKNOWN))),
    ],
    "unframed": [
        (C, strict("hello", CALL, 1, BOB)),
        (S, strict("hello", REPLY, 1, HI)),
        (C, strict("fire", ONEWAY, 2, struct(i32(1, 5))) + strict("Shop:declared", CALL, 3, BOB)),
        (S, strict("declared", REPLY, 3, struct(field(12, 1, struct(text(1, "why"), i32(2, 7)))))),
        (C, strict("all", CALL, 4, struct(
            field(13, 300, b"\x0b\x0c" + pack(">i", 1) + pack(">i", 1) + b"k" + struct(i32(1, 2))),
            field(15, 16, b"\x02" + pack(">i", 3) + b"\1\0\1"),
            field(14, 2, b"\x0f" + pack(">i", 1) + b"\x08" + pack(">i", 2) + bytes(8)),
            field(16, 3, bytes(range(16))), field(4, 4, pack(">d", -0.1)), field(2, 5, b"\1"),
        ))),
        (S, strict("all", REPLY, 4)),
    ],
    "ids-stand": [
        (C, strict("hello", CALL, 0, BOB)),
        (S, strict("hello", REPLY, 0, HI)),
        (C, strict("hello", CALL, 0, BOB) + strict("other", CALL, 0, BOB)),
        (S, strict("hello", REPLY, 0, HI)),
        (S, strict("other", EXCEPTION, 0, UNKNOWN)),
    ],
    "oneway-as-call": [
        (C, frame(strict("hello", CALL, 1, BOB))),
        (S, frame(strict("hello", REPLY, 1, HI))),
        (C, frame(strict("fire", CALL, 2)) + frame(strict("hello", CALL, 3, BOB))),
        (S, frame(strict("hello", REPLY, 3, HI))),
        (C, frame(strict("fire", CALL, 4)) + frame(strict("fire", CALL, 5)) + frame(strict("hello", CALL, 6, BOB))),
        (S, frame(strict("hello", REPLY, 6, HI))),
    ],
    "old-framed": [
        (C, frame(old("hello", CALL, 1, BOB))),
        (S, frame(old("hello", REPLY, 1, HI))),
        (C, frame(old("notThere", CALL, 2, BOB))),
        (S, frame(old("notThere", EXCEPTION, 2, struct(text(1, "Unknown function notThere"))))),
    ],
    "old-unframed": [
        (C, old("hello", CALL, 1, BOB)),
        (S, old("hello", REPLY, 1, HI)),
        (C, old("notThere", CALL, 2, BOB)),
        (S, old("notThere", EXCEPTION, 2, struct(i32(2, 1)))),
    ],
    "compact-framed": [
        (C, frame(compact("hello", CALL, 11, short(1, "bob") + b"\0"))),
        (S, frame(compact("hello", REPLY, 11, b"\x08\x00" + short(0, "hi bob")[1:] + b"\0"))),
        (C, frame(compact("notThere", CALL, 300, short(1, "bob") + b"\0"))),
        (S, frame(compact("notThere", EXCEPTION, 300, short(1, "Unknown function notThere") + b"\x15\x02\0"))),
    ],
    "compact-unframed": [
        (C, compact("hello", CALL, -1, short(1, "bob") + b"\x11\x12" + b"\x19\x31\1\2\1" + b"\x1b\0" + b"\0")),
        (S, compact("hello", REPLY, -1, b"\x08\x00" + short(0, "hi bob")[1:] + b"\0")),
        (C, compact("double", CALL, 2, b"\x17\x9a\x99\x99\x99\x99\x99\xb9\xbf\x08\x50\x00\0")),
        (S, compact("double", REPLY, 2, short(1, "why") + b"\0")),
    ],
    "json-framed": [
        (C, frame(json("hello", CALL, 7, '{"1":{"str":"bob"}}'))),
        (S, frame(json("hello", REPLY, 7, '{"0":{"str":"hi bob"}}'))),
        (C, frame(json("notThere", CALL, 8))),
        (S, frame(json("notThere", EXCEPTION, 8, '{"1":{"str":"Unknown function notThere"},"2":{"i32":1}}'))),
    ],
    "json-unframed": [
        (C, json("hello", CALL, 0, '{"1":{"str":"b\\"]ob"},"2":{"dbl":nan},"3":{"map":["i32","str",1,{"1":"a"}]}}')),
        (S, json("hello", REPLY, 0, '{"0":{"str":"hi bob"}}')),
        (C, json("hello", CALL, 0, '{"1":{"lst":["dbl",2,-Infinity,1e+20]}}') + json("fire", ONEWAY, 0)),
        (S, json("hello", REPLY, 0, '{"1":{"rec":{"1":{"str":"why"}}}}')),
    ],
    "thriftpy2-json": [
        (C, named_json("hello", CALL, 0, '{"name": "bob"}')),
        (S, named_json("hello", REPLY, 0, '{"success": "hi bob"}')),
        (C, named_json("hello", CALL, 0, '{"name": "bob"}')),
        (S, named_json("hello", REPLY, 0, '{"oops": {"why": "no"}}')),
    ],
    "thriftpy2-json-framed": [
        (C, frame(named_json("hello", CALL, 0, '{"name": "bob"}'))),
        (S, frame(named_json("hello", REPLY, 0, '{"success": "hi bob"}'))),
    ],
    "header": [
        (C, header(strict("hello", CALL, 7, BOB), 7, infos={"tenant": "blue", "trace": "0"})),
        (S, header(strict("hello", REPLY, 7, HI), 7)),
        (C, header(compact("hello", CALL, 8, short(1, "bob") + b"\0"), 8, protocol=2)),
        (S, header(strict("hello", REPLY, 8, HI), 8)),
        (S, header(b"", 0)),
    ],
    "header-zlib": [
        (C, header(zlib.compress(strict("hello", CALL, 7, BOB)), 7, transforms=(1,), infos={"a": "b"})),
        (S, header(flushed(strict("hello", REPLY, 7, HI)), 7, transforms=(1,))),
        (C, header(zlib.compress(flushed(strict("hello", CALL, 8, BOB))), 8, transforms=(1, 1))),
        (S, header(strict("hello", EXCEPTION, 8, struct(text(1, "no"), i32(2, 8))), 8)),
    ],
    "header-to-bare": [
        (C, frame(strict("hello", CALL, 1, BOB))),
        (S, header(strict("hello", REPLY, 1, HI), 1)),
        (S, header(b"", 0)),
    ],
    "ttheader": [
        (C, ttheader(strict("hello", CALL, 7, BOB), 7, {6: "svc", 9: "hello", 1: "framed"}, {"method": "no"})),
        (S, ttheader(strict("hello", REPLY, 7, HI), 7, {}, {"a": "b"})),
        (C, ttheader(frame(strict("hello", CALL, 8, BOB)), 8, {6: "svc"}, {})),
        (S, ttheader(frame(strict("hello", REPLY, 8, HI)), 8, {}, {})),
    ],
    "finagle": upgraded(),
    "zlib": streams(),
    "http": [
        (C, post(strict("hello", CALL, 1, BOB))),
        (S, answer(strict("hello", REPLY, 1, HI))),
        (C, post(strict("fire", ONEWAY, 2, struct(i32(1, 5))), chunked=True)),
        (S, answer(b"")),
        (C, post(compact("hello", CALL, 3, short(1, "bob") + b"\0"), chunked=True)),
        (S, answer(b"Failed to decode a tbinary header", "400 Bad Request", "text/plain")),
        (C, post(json("hello", CALL, 4, '{"1":{"str":"bob"}}'))),
        (S, answer(json("hello", REPLY, 4, '{"0":{"str":"hi bob"}}'))),
    ],
    "http-ttext": [
        (C, post(ttext("hello", "CALL", 1, '{"name" : "bob"}'), "application/x-thrift; protocol=TTEXT")),
        (S, answer(ttext("hello", "REPLY", 1, '{"success" : "hi bob"}'), kind="application/x-thrift; protocol=TTEXT")),
        (C, post(ttext("fire", "ONEWAY", 2, '{"n" : 3}'), "application/x-thrift; protocol=TTEXT")),
        (S, answer(b"")),
        (C, post(ttext("notThere", "CALL", 3, "{}"), "application/x-thrift; protocol=TTEXT")),
        (S, answer(ttext("notThere", "EXCEPTION", 3, '{"message" : "unknown method: notThere", "type" : 1}'))),
        (C, post(ttext("declared", "CALL", 4, "{}"), "application/x-thrift; protocol=TTEXT")),
        (S, answer(ttext("declared", "REPLY", 4, '{"e" : {"why" : "no"}}'))),
    ],
    "http-coded": [
        (C, post(gzip.compress(strict("hello", CALL, 1, BOB), mtime=0), coding="gzip")),
        (S, answer(zlib.compress(strict("hello", REPLY, 1, HI)), coding="deflate")),
        (C, post(gzip.compress(compact("hello", CALL, 2, short(1, "bob") + b"\0"), mtime=0), chunked=True, coding="x-gzip")),
        (S, answer(zlib.compress(strict("hello", REPLY, 2, HI), wbits=-15), coding="deflate")),
        (C, post(b"\x8b\1\x80abc\3", coding="br")),
        (S, answer(b"\x8b\1\x80abd\3", coding="br")),
    ],
}  # fmt: skip


def mux(kind: int, tag: int, body: bytes = b"") -> bytes:
    """A frame of Mux."""
    return frame(pack(">b", kind) + pack(">I", tag)[1:] + body)


def sized(octets: bytes) -> bytes:
    """A text of Mux."""
    return pack(">H", len(octets)) + octets


def dispatch(
    tag: int, message: bytes, destination: bytes = b"", contexts: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """Tdispatch."""
    said = pack(">H", len(contexts)) + b"".join(sized(key) + sized(value) for key, value in contexts)
    return mux(2, tag, said + sized(destination) + pack(">H", 1) + sized(b"/s") + sized(b"/s#/a") + message)


def fragments(octets: bytes, size: int) -> list[bytes]:
    """A frame of Mux as several, with `size` octets of its body each."""
    body = octets[8:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    tag = int.from_bytes(octets[5:8], "big")
    return [
        frame(octets[4:5] + (tag | (0x800000 if each is not pieces[-1] else 0)).to_bytes(3, "big") + each)
        for each in pieces
    ]


LONG = dispatch(2, strict("hello", CALL, 0, struct(text(1, "bob" * 40))), b"/s/hello", ((b"trace", bytes(4)),))
TOLD = mux(-2, 2, b"\0\0\0" + strict("hello", REPLY, 0, struct(text(0, "hi bob" * 30))))
ASKED, SAID = fragments(LONG, 80), fragments(TOLD, 60)
CHECK = mux(127, 1, b"tinit check")
MUX: dict[str, list[tuple[Sender, bytes]]] = {
    "calls": [
        (C, CHECK), (S, CHECK),
        (C, mux(68, 1, b"\0\1" + pack(">i", 11) + b"mux-framer_" + pack(">i", 4) + b"\x7f\xff\xff\xff")), (S, mux(-68, 1, b"\0\1")),
        (C, mux(65, 1)), (S, mux(-65, 1)),
        (C, dispatch(2, strict("hello", CALL, 0, BOB), b"/s/hello", ((b"trace", bytes(4)), (b"a", b"b")))),
        (S, mux(-2, 2, b"\0\0\0" + strict("hello", REPLY, 0, HI))),
        (C, dispatch(2, strict("hello", CALL, 0, BOB)) + dispatch(3, strict("Shop:other", CALL, 0, BOB))),
        (S, mux(-2, 3, b"\0\0\1" + sized(b"k") + sized(b"v") + strict("other", REPLY, 0, struct(field(12, 1, struct()))))),
        (S, mux(-2, 2, b"\0\0\0" + strict("hello", EXCEPTION, 0, UNKNOWN))),
    ],
    "failures": [
        (C, dispatch(2, strict("hello", CALL, 0, BOB))), (S, mux(-2, 2, b"\1\0\0no")),
        (C, dispatch(2, strict("hello", CALL, 0, BOB))), (S, mux(-2, 2, b"\2\0\0")),
        (C, dispatch(2, strict("hello", CALL, 0, BOB)) + mux(66, 0, b"\0\0\2timeout")), (S, mux(-66, 2)),
        (C, dispatch(4, strict("hello", CALL, 0, BOB))), (S, mux(-128, 4, b"no such type")),
        (S, mux(67, 0, b"\0" + pack(">Q", 1000)) + mux(64, 1)), (C, mux(-64, 1)),
    ],
    "fragments": [
        (C, ASKED[0] + dispatch(3, strict("other", CALL, 0, BOB)) + b"".join(ASKED[1:])),
        (S, b"".join(SAID[:2]) + mux(-2, 3, b"\0\0\0" + strict("other", REPLY, 0, HI)) + b"".join(SAID[2:])),
        (C, mux(65, 1)), (S, mux(-65, 1)),
    ],
    "requests": [
        (C, mux(1, 2, b"\2\1\x18" + bytes(24) + b"\2\1\1" + strict("hello", CALL, 0, BOB))),
        (S, mux(-1, 2, b"\0" + strict("hello", REPLY, 0, HI))),
        (C, mux(1, 2, b"\0" + strict("hello", CALL, 0, BOB))), (S, mux(-1, 2, b"\2busy")),
        (C, mux(1, 2, b"\0" + strict("hello", CALL, 0, BOB)) + mux(-62, 0, b"\0\0\2gone")), (S, mux(-66, 2)),
    ],
}  # fmt: skip


def main() -> None:
    """Write all."""
    (HERE / "mux").mkdir(exist_ok=True)
    for name, pieces in MUX.items():
        Vector(f"made-{name}", tuple(pieces)).save(HERE / "mux", "python protocols/thrift/tools/made.py")
    for name, pieces in VECTORS.items():
        Vector(f"made-{name}", tuple(pieces)).save(HERE, "python protocols/thrift/tools/made.py")


if __name__ == "__main__":
    sys.exit(main())
