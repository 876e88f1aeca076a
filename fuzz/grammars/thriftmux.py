"""Frames of ThriftMux at random: dispatches with contexts and delegations, fragments, pings, leases, and their answers."""

from __future__ import annotations

import random

from l7codecs import Kind, Sender, Status
from l7codecs.testing.fuzzing import Spoken

TREQ, TDISPATCH, TDRAIN, TPING, TDISCARDED, TLEASE, TINIT, RERR = 1, 2, 64, 65, 66, 67, 68, -128
FRAGMENT = 0x800000
NAMES = (b"get", b"Shop:put", b"m" * 60)
KEYS = (b"com.twitter.finagle.Deadline", b"clientId", b"k")


def frame(kind: int, tag: int, body: bytes) -> bytes:
    inner = bytes((kind & 0xFF,)) + tag.to_bytes(3, "big") + body
    return len(inner).to_bytes(4, "big") + inner


def text(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets


def pairs(chance: random.Random, keys: tuple[bytes, ...]) -> bytes:
    count = chance.choice((0, 0, 1, 2))
    values = (b"", b"\0" * 8, b"value" * 9, chance.randbytes(3))
    return count.to_bytes(2, "big") + b"".join(
        text(chance.choice(keys)) + text(chance.choice(values)) for _ in range(count)
    )


def message(kind: int, name: bytes, chance: random.Random) -> bytes:
    """One of Thrift, in binary."""
    fields = b"".join(
        chance.choice((b"\x08\0\1\0\0\0\5", b"\x0b\0\2\0\0\0\3abc", b"\x0c\0\1\x02\0\1\1\0", b"\x0f\0\4\x03\0\0\0\2ab"))
        for _ in range(chance.randrange(3))
    )
    return bytes((0x80, 1, 0, kind)) + len(name).to_bytes(4, "big") + name + bytes(4) + fields + b"\0"


def sent(kind: int, tag: int, body: bytes, chance: random.Random) -> list[bytes]:
    """In one frame, or several."""
    if chance.random() < 0.85 or len(body) < 3:
        return [frame(kind, tag, body)]
    cuts = sorted(chance.randrange(1, len(body)) for _ in range(chance.randint(1, 3)))
    parts = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    return [frame(kind, tag | (FRAGMENT if at < len(parts) - 1 else 0), part) for at, part in enumerate(parts)]


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    pieces: list[tuple[Sender, bytes]] = []
    if chance.random() < 0.4:
        pieces.append((Sender.CLIENT, frame(127, 1, b"tinit check")))
        pieces.append((Sender.SERVER, frame(127, 1, b"tinit check")))
        version = b"\0\1" + chance.choice((b"", b"\0\0\0\x0amux-framer\0\0\0\4\0\0\0\x20"))
        pieces.append((Sender.CLIENT, frame(TINIT, 1, version)))
        pieces.append((Sender.SERVER, frame(-TINIT, 1, version)))
    waiting: dict[int, tuple[int, bytes]] = {}
    for _ in range(chance.choice((2, 5, 10, 16))):
        choice = chance.randrange(12)
        if waiting and choice < 5:
            tag = chance.choice([*waiting])
            kind, name = waiting.pop(tag)
            answer(pieces, kind, tag, name, chance)
        elif choice == 5:
            sender = chance.choice(tuple(Sender))
            pieces.append((sender, frame(TPING, chance.choice((0, 1, 9)), b"")))
        elif choice == 6:
            pieces.append((Sender.SERVER, frame(TLEASE, 0, b"\0" + chance.choice((0, 1000)).to_bytes(8, "big"))))
        elif choice == 7 and waiting:
            pieces.append((Sender.CLIENT, frame(TDISCARDED, 0, chance.choice([*waiting]).to_bytes(3, "big") + b"late")))
        elif choice == 8 and chance.random() < 0.3:
            pieces.append((Sender.SERVER, frame(TDRAIN, 2, b"")))
        else:
            tag = next(number for number in range(2, 99) if number not in waiting)
            name = chance.choice(NAMES)
            kind = chance.choice((TDISPATCH, TDISPATCH, TDISPATCH, TREQ))
            call = message(1, name, chance)
            if kind == TREQ:
                body = (b"\0" if chance.random() < 0.5 else b"\1\1\x20" + bytes(32)) + call
            else:
                body = (
                    pairs(chance, KEYS) + text(chance.choice((b"", b"/s/shop"))) + pairs(chance, (b"/s", b"/a")) + call
                )
            pieces += [(Sender.CLIENT, each) for each in sent(kind, tag, body, chance)]
            waiting[tag] = kind, name
    for tag, (kind, name) in waiting.items():
        answer(pieces, kind, tag, name, chance)
    return pieces


def answer(pieces: list[tuple[Sender, bytes]], kind: int, tag: int, name: bytes, chance: random.Random) -> None:
    if chance.random() < 0.1:
        pieces.append((Sender.SERVER, frame(RERR, tag, b"no such thing")))
        return
    status = chance.choice((0, 0, 0, 1, 2))
    said = message(chance.choice((2, 2, 3)), name, chance) if status == 0 else b"why"
    body = bytes((status,)) + (pairs(chance, KEYS) if kind == TDISPATCH else b"") + said
    pieces += [(Sender.SERVER, each) for each in sent(-kind, tag, body, chance)]


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: tags that come again, contexts, where dispatches go, what is carried, and what becomes of it."""
    found: list[Spoken] = []
    waiting: dict[int, tuple[int, int, str]] = {}

    def answered(tag: int) -> None:
        place, kind, method = waiting.pop(tag)
        if kind == TPING:
            found.append(Spoken(Sender.SERVER, frame(-TPING, tag, b""), answers=place, says={"mux.tag": tag}))
            return
        says: dict[str, object] = {"kind": Kind.RESPONSE, "mux.tag": tag, "operation": method}
        code = chance.choice((0, 0, 0, 1, 2))
        body = bytes((code,)) + (pairs(chance, KEYS) if kind == TDISPATCH else b"")
        if code == 0:
            wrong = chance.random() < 0.2
            body += message(3 if wrong else 2, method.encode(), chance) if wrong else reply(method.encode())
            says |= {"mux.status": "OK"} if wrong else {"mux.status": "OK", "status": Status.OK}
        else:
            body += b"why"
            says["mux.status"] = ("ERROR", "NACK")[code - 1]
        if kind == TREQ:
            del says["mux.status"]
        found.append(Spoken(Sender.SERVER, frame(-kind, tag, body), answers=place, says=says))

    for _ in range(chance.choice((1, 4, 9, 16))):
        choice = chance.randrange(10)
        tag = chance.choice([each for each in (*range(2, 20), 0x7FFFFF) if each not in waiting])
        if choice == 0:
            waiting[tag] = len(found), TPING, ""
            found.append(Spoken(Sender.CLIENT, frame(TPING, tag, b""), says={"kind": Kind.HEARTBEAT, "mux.tag": tag}))
        elif choice == 1:
            lease = chance.choice((0, 1000, (1 << 31) - 1))
            octets = frame(TLEASE, 0, b"\0" + lease.to_bytes(8, "big"))
            found.append(Spoken(Sender.SERVER, octets, says={"mux.lease_ms": lease}))
        elif choice < 7:
            name = chance.choice(NAMES)
            service, _, method = name.decode().rpartition(":")
            says = {"kind": Kind.REQUEST, "mux.tag": tag, "operation": method, "service": service or None}
            kind = chance.choice((TDISPATCH, TDISPATCH, TREQ))
            body = b"\0"
            if kind == TDISPATCH:
                goes = chance.choice(("", "/s/shop"))
                moved = chance.choice(((), (("/s", "/a"),), (("/s", "/a"), ("/b", "/c"))))
                body = pairs(chance, KEYS) + text(goes.encode()) + len(moved).to_bytes(2, "big")
                body += b"".join(text(each.encode()) for pair in moved for each in pair)
                says["mux.destination"] = goes or None
                says["mux.delegations"] = tuple("=>".join(pair) for pair in moved) or None
            waiting[tag] = len(found), kind, method
            found.append(Spoken(Sender.CLIENT, frame(kind, tag, body + message(1, name, chance)), says=says))
        elif waiting:
            answered(chance.choice([*waiting]))
    for tag in [*waiting]:
        answered(tag)
    return found


def reply(name: bytes) -> bytes:
    """A result of Thrift that is a number."""
    return bytes((0x80, 1, 0, 2)) + len(name).to_bytes(4, "big") + name + bytes(4) + b"\x08\0\0\0\0\0\5\0"
