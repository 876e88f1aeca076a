"""Four protocols spoken by hand, alike for tests of what goes wrong: nothing here is read or written by a room."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l7codecs.testing import load_tool

__all__ = ["DUBBO", "REDIS", "THRIFT", "THRIFTMUX", "TONGUES", "Answer", "Tongue", "read_answers"]

_frames: Any = load_tool(Path(__file__).resolve().parents[2] / "protocols" / "dubbo" / "tests", "frames")


@dataclass(frozen=True)
class Answer:
    """``number`` is what says which request it answers, None where only its place does; ``error`` is None where it is a value."""

    number: int | None
    value: str | None
    error: str | None


@dataclass(frozen=True)
class Tongue:
    """How one protocol asks for and answers a text. ``size`` is that of the message at the front, or 0 while it is not whole."""

    name: str
    ask: Callable[[int, str], bytes]
    answer: Callable[[bytes], bytes]
    size: Callable[[bytes], int]
    read: Callable[[bytes], Answer]
    nonsense: bytes
    """What neither side ever says."""
    ordered: bool = False
    asked: Callable[[bytes], int] | None = None
    """As ``size``, of requests, where they are told apart in another way."""
    is_event: Callable[[bytes], bool] = lambda _: False
    """Whether a message is one that nobody has asked for, and may come at any time."""

    def split(self, octets: bytes, asked: bool = False) -> tuple[list[bytes], bytes]:
        """Whole messages, and what is left; of answers, or of what is asked."""
        found = []
        while octets and (size := self.size(octets) if not asked or self.asked is None else self.asked(octets)):
            found.append(octets[:size])
            octets = octets[size:]
        return found, octets


def _thrift_ask(number: int, text: str) -> bytes:
    octets = text.encode()
    body = struct.pack(">Ii4sibhi", 0x80010001, 4, b"echo", number, 11, 1, len(octets)) + octets + b"\0"
    return struct.pack(">i", len(body)) + body


def _thrift_answer(asked: bytes) -> bytes:
    if asked[7:8] != b"\1":
        return b""  # one way, or no call at all
    if asked[4:7] != b"\x80\1\0" or asked[8:12] != b"\0\0\0\4" or asked[20:23] != b"\x0b\0\1":
        number = asked[16:20] if asked[8:12] == b"\0\0\0\4" else b"????"
        body = asked[4:7] + b"\3\0\0\0\4what" + number + b"\x0b\0\1\0\0\0\0\0"
        return len(body).to_bytes(4, "big") + body
    return asked[:7] + b"\2" + asked[8:21] + b"\0\0" + asked[23:]


def _thrift_read(octets: bytes) -> Answer:
    name = int.from_bytes(octets[8:12], "big")
    number = int.from_bytes(octets[12 + name : 16 + name], "big")
    size = int.from_bytes(octets[19 + name : 23 + name], "big")
    text = octets[23 + name : 23 + name + size].decode()
    assert octets[7] in (2, 3), octets
    return Answer(number, text, None) if octets[7] == 2 else Answer(number, None, text)


def _mux(kind: int, number: int, body: bytes) -> bytes:
    return struct.pack(">ib", len(body) + 4, kind) + number.to_bytes(3, "big") + body


def _mux_ask(number: int, text: str) -> bytes:
    return _mux(2, number, bytes(6) + _thrift_ask(0, text)[4:])


def _mux_answer(asked: bytes) -> bytes:
    number = int.from_bytes(asked[5:8], "big")
    if asked[4] == 65:
        return _mux(-65, number, b"")
    if asked[4] != 2:
        return b""
    if asked[8:14] != bytes(6) or asked[14:26] != b"\x80\1\0\1\0\0\0\4echo" or asked[30:33] != b"\x0b\0\1":
        return _mux(-2, number, b"\1\0\0what is it?")
    return _mux(-2, number, b"\0\0\0" + _thrift_answer(asked[10:])[4:])


def _mux_read(octets: bytes) -> Answer:
    number = int.from_bytes(octets[5:8], "big")
    assert octets[4] == 254, octets  # Rdispatch
    if octets[8]:
        return Answer(number, None, octets[11:].decode())
    return Answer(number, _thrift_read(octets[7:]).value, None)


def _framed(at: int, head: int) -> Callable[[bytes], int]:
    def size(octets: bytes) -> int:
        if len(octets) < head:
            return 0
        found = head + int.from_bytes(octets[at : at + 4], "big")
        return found if len(octets) >= found else 0

    return size


def _dubbo_ask(number: int, text: str) -> bytes:
    octets: bytes = _frames.call(number, method="echo", arguments=_frames.string(text))
    return octets


def _dubbo_answer(asked: bytes) -> bytes:
    number, begun = int.from_bytes(asked[4:12], "big"), asked.find(b"\x12Ljava/lang/String;") + 19
    size = asked[begun] if 19 <= begun < len(asked) else 0x20
    value = asked[begun : begun + 1 + size]
    whole = size < 0x20 and len(value) == size + 1
    octets: bytes = _frames.answer(number, value) if whole else _frames.failure(number, 40, "what is it?")
    return octets if asked[2] & 0x40 and not asked[2] & 0x20 else b""


def _dubbo_read(octets: bytes) -> Answer:
    heard = _frames.FRAME.parse(octets)
    if heard.status != 20:
        return Answer(heard.id, None, heard.body[1 : 1 + heard.body[0]].decode())
    return Answer(heard.id, heard.body[2 : 2 + heard.body[1]].decode(), None)


def _redis_ask(number: int, text: str) -> bytes:
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(text), text.encode())


def _redis_answer(asked: bytes) -> bytes:
    return (
        asked[asked.rindex(b"$") :]
        if asked.startswith(b"*2\r\n")
        else b"-ERR what is it?\r\n"
        if asked.strip()
        else b""
    )


def _redis_size(octets: bytes) -> int:
    def line(at: int) -> int:
        return octets.find(b"\r\n", at) + 2

    end = line(0)
    if end < 2:
        return 0
    if octets[:1] == b"*":
        for _ in range(int(octets[1:end])):
            head = line(end)
            if head < 2:
                return 0
            end = head + int(octets[end + 1 : head]) + 2
    elif octets[:1] == b"$":
        end += int(octets[1:end]) + 2
    return end if len(octets) >= end else 0


def _redis_asked(octets: bytes) -> int:
    return _redis_size(octets) if octets[:1] == b"*" else octets.find(b"\n") + 1


def _redis_read(octets: bytes) -> Answer:
    if octets[:1] == b"-":
        return Answer(None, None, octets[1:-2].decode())
    return Answer(None, octets[octets.index(b"\n") + 1 : -2].decode(), None)


THRIFT = Tongue("thrift", _thrift_ask, _thrift_answer, _framed(0, 4), _thrift_read, b"\0\0\0\x08\xff" + b"nonsense"[:7])
DUBBO = Tongue(
    "dubbo", _dubbo_ask, _dubbo_answer, _framed(12, 16), _dubbo_read, b"\xda\xbb\2\x14" + bytes(8) + b"\xff" * 4,
    is_event=lambda octets: bool(octets[2] & 0x20),
)  # fmt: skip
REDIS = Tongue("redis", _redis_ask, _redis_answer, _redis_size, _redis_read, b"*1\r\n:1\r\n", True, _redis_asked)
THRIFTMUX = Tongue("thriftmux", _mux_ask, _mux_answer, _framed(0, 4), _mux_read, b"\0\0\0\2nonsense")
TONGUES = {each.name: each for each in (REDIS, THRIFT, DUBBO, THRIFTMUX)}


def read_answers(raw: socket.socket, tongue: Tongue, count: int, left: bytes = b"") -> list[Answer]:
    """`count` answers, or those that come before the end."""
    raw.settimeout(10)
    found: list[Answer] = []
    while len(found) < count:
        messages, left = tongue.split(left)
        found += [tongue.read(each) for each in messages if not tongue.is_event(each)]
        if len(found) >= count:
            break
        try:
            more = raw.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            break
        left += more
    return found
