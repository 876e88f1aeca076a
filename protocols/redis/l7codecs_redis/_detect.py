"""Is this Redis? Strict where the decoders are lenient: a line that begins with ``+`` or ``-`` is no proof.

The client decides: an array of bulk strings, or an inline command that no other text protocol has, is Redis. Any other
line of words is Redis where
the server answers it with what only RESP has. What the server says alone decides nothing, since lines such as ``+OK`` are common.
"""

from __future__ import annotations

from typing import Final

from l7codecs import Detection, Sender, Verdict

from ._commands import find_command

__all__ = ["detect"]

_NO: Final = Detection(Verdict.NO)
_MORE: Final = 0
_DENIES: Final = 1
_WEAK: Final = 2
_TELLS: Final = 3

_ERRORS: Final = frozenset(
    b"ERR WRONGTYPE MOVED ASK NOAUTH LOADING READONLY DENIED NOPERM WRONGPASS MASTERDOWN BUSY OOM MISCONF CLUSTERDOWN EXECABORT NOSCRIPT "
    b"NOPROTO TRYAGAIN CROSSSLOT BUSYGROUP NOGROUP".split()
)
_STATUSES: Final = frozenset((b"OK", b"PONG", b"QUEUED", b"RESET"))
_COUNTED: Final = b"$*%~>!=|:"
_SHARED: Final = frozenset(
    b"APPEND AUTH CLIENT CONFIG COPY DECR ECHO GET GETSET HELLO HELP INCR INFO LATENCY LOLWUT MODULE MONITOR "
    b"MOVE PING QUIT RENAME RESET SAVE SELECT SET "
    b"SHUTDOWN SORT SUBSCRIBE SYNC TIME TOUCH TYPE UNSUBSCRIBE UNLINK WAIT WATCH".split()
)
"""Words that other text protocols have too (memcached, SMTP, POP3, IMAP, NATS, FTP): inline they prove nothing."""
_CLOSING: Final = frozenset((b"AUTH", b"QUIT", b"RESET", b"SELECT"))
"""Words that such protocols answer with +OK."""
_LINE_CAP: Final = 512
_WORD_CAP: Final = 24


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions, see `Protocol`."""
    if not client:
        told = _server(server)
        if told == _TELLS:
            return Detection(Verdict.MORE, 50, "the server speaks RESP", Sender.CLIENT)
        return Detection(Verdict.MORE, 0 if told == _DENIES else 80, "", Sender.CLIENT)
    if client[0] == 0x2A:
        return _array(client)
    return _inline(client, server)


def _array(octets: bytes) -> Detection:
    """``*`` 1-7 digits CR LF ``$`` 1-4 digits CR LF."""
    at = _number(octets, 1, 7)
    if at == 0:
        return _NO
    if at < 0 or at >= len(octets):
        return Detection(Verdict.MORE, 80, "the client's '*'", Sender.CLIENT)
    if octets[at] != 0x24:
        return _NO
    named = _number(octets, at + 1, 4)
    if named == 0:
        return _NO
    if named < 0:
        return Detection(Verdict.MORE, 80, "the client's '*' and a count", Sender.CLIENT)
    return Detection(Verdict.YES, 80, "the client sends an array of bulk strings")


def _inline(octets: bytes, server: bytes) -> Detection:
    """A line of words."""
    if not octets[:1].isalpha():
        return _NO
    end = octets.find(b"\n", 0, _LINE_CAP)
    if end < 0:
        if len(octets) >= _LINE_CAP or not octets.replace(b"\t", b" ").rstrip(b"\r").isascii() or b"\0" in octets:
            return _NO
        return Detection(Verdict.MORE, 60, "a line of words")
    line = octets[:end]
    name = line.split(None, 1)[0].upper()
    if not line.isascii() or b"\0" in line or b" HTTP/" in line or not name.isalnum() or len(name) > _WORD_CAP:
        return _NO
    known = find_command(name) is not None
    if known and name not in _SHARED:
        return Detection(Verdict.YES, 50, f"the inline command {name.decode('ascii')}")
    told = _server(server)
    if told == _DENIES:
        return _NO
    if told == _TELLS or (told == _WEAK and known and name not in _CLOSING):
        return Detection(Verdict.YES, 60, "a line of words, and the server's answer in RESP")
    return Detection(Verdict.MORE, 60, "a line of words", Sender.SERVER)


def _server(octets: bytes) -> int:
    """What the server's first line tells."""
    if not octets:
        return _MORE
    kind = octets[0]
    if kind in _COUNTED:
        at = _number(octets, 2 if octets[1:2] == b"-" else 1, 19)
        return _MORE if at < 0 else _TELLS if at > 0 else _DENIES
    if kind == 0x2D or kind == 0x2B:
        end = octets.find(b"\n", 0, _LINE_CAP)
        if end < 0:
            return _MORE if len(octets) < _LINE_CAP else _DENIES
        words = octets[1:end].split(None, 1)
        word = words[0] if words else b""
        if kind == 0x2D:
            return _TELLS if word in _ERRORS else _WEAK
        return _WEAK if octets[1:end].rstrip(b"\r") in _STATUSES else _MORE
    if kind == 0x5F or kind == 0x23:
        want = 3 if kind == 0x5F else 4
        return _MORE if len(octets) < want else _TELLS if octets[want - 2 : want] == b"\r\n" else _DENIES
    return _DENIES


def _number(octets: bytes, at: int, digits: int) -> int:
    """The index after 1 to `digits` digits CR LF at `at`; 0 if something else stands there, -1 if it is cut."""
    first = at
    end = len(octets)
    while at < end and 0x30 <= octets[at] <= 0x39:
        at += 1
    if at - first > digits or (at < end and at == first):
        return 0
    if octets[at : at + 2] == b"\r\n":
        return at + 2
    return -1 if b"\r\n".startswith(octets[at : at + 2]) else 0
