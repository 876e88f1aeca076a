"""Every frame in every state of a stream (RFC 9113 §5.1), from either side: what an observer says, beside the RFC, h2 and nghttp2.

The expectation is made from the rules of the RFC's text, not from our table. h2 or nghttp2 plays the receiver and acts its own part, and
the observer sees what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from l7codecs import Sender

from .implementations import (
    CLIENT,
    DATA,
    END_HEADERS,
    END_STREAM,
    H2,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RESPONSE,
    SERVER,
    TRAILERS,
    WINDOW_UPDATE,
    Endpoint,
    Nghttp2,
    Ours,
    Step,
    block,
    frame,
    headers,
    judge,
    rst,
    u32,
)  # fmt: skip

GET = [(b":method", b"GET"), *REQUEST[1:]]
PROTOCOL, CLOSED = "stream PROTOCOL_ERROR", "stream STREAM_CLOSED"
PROTOCOL_ALL = "connection PROTOCOL_ERROR"

FRAMES = [
    "HEADERS",
    "HEADERS END_STREAM",
    "DATA",
    "DATA END_STREAM",
    "RST_STREAM",
    "PUSH_PROMISE",
    "PRIORITY",
    "WINDOW_UPDATE",
]
HISTORIES = {
    # state: what led there, as (who, what, whether it ends the stream)
    "idle": "",
    "open": "C:head",
    "answered": "C:head S:head",
    "half-closed by the client": "C:head+end",
    "half-closed by the client, answered": "C:head+end S:head",
    "half-closed by the server": "C:head S:head+end",
    "closed": "C:head+end S:head+end",
    "reset by the client": "C:head C:reset",
    "reset by the server": "C:head S:reset",
    "half-closed, reset by the client": "C:head+end C:reset",
    "half-closed, reset by the server": "C:head+end S:reset",
    "reserved": "C:head S:push",
    "pushed": "C:head S:push S:pushed",
    "pushed, ended": "C:head S:push S:pushed+end",
    "reserved, reset by the client": "C:head S:push C:unpush",
    "reserved, reset by the server": "C:head S:push S:unpush",
}


def step(who: Sender, what: str, receiver: Sender) -> Step:
    """One step of a history: octets of the receiver's peer, or an action of the receiver."""
    word, _, ending = what.partition("+")
    end = bool(ending)
    stream = 2 if word in ("pushed", "unpush") else 1
    fields = (REQUEST if who is CLIENT else RESPONSE) if word in ("head", "pushed") else GET
    if who is receiver:
        actions: dict[str, Callable[[Endpoint], None]] = {
            "head": lambda endpoint: endpoint.send_headers(stream, fields, end),
            "pushed": lambda endpoint: endpoint.send_headers(stream, fields, end),
            "reset": lambda endpoint: endpoint.reset(stream),
            "unpush": lambda endpoint: endpoint.reset(stream),
            "push": lambda endpoint: endpoint.push(1, 2, GET),
        }
        return who, actions[word]
    octets = {
        "head": headers(stream, fields, end),
        "pushed": headers(stream, fields, end),
        "reset": rst(stream),
        "unpush": rst(stream),
        "push": frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + block(GET)),
    }
    return who, octets[word]


def expected(state: str, sender: Sender, what: str) -> str:
    """What RFC 9113 says of this frame to its receiver."""
    past = HISTORIES[state].split()
    who = sender.value[0].upper()
    pushed = state.startswith(("reserved", "pushed"))
    if what == "PRIORITY":
        return "fine"  # §5.1: in any state
    if what == "PUSH_PROMISE":
        if sender is CLIENT:
            return PROTOCOL_ALL  # §8.4
        if state.endswith("reset by the client") and not pushed:
            return "fine"  # §5.1: it may have been sent before the reset came
        # §6.6: only on a stream of the client that is open, or half-closed by the client
        ended = any(each.startswith("S:") and each.endswith(("end", "reset")) for each in past)
        return PROTOCOL_ALL if pushed or ended or not past or "C:reset" in past else "fine"
    if state == "idle":
        return "fine" if sender is CLIENT and what.startswith("HEADERS") else PROTOCOL_ALL
    if state == "reserved":  # §5.1
        allowed = ["RST_STREAM", *(["WINDOW_UPDATE"] if sender is CLIENT else ["HEADERS", "HEADERS END_STREAM"])]
        return "fine" if what in allowed else PROTOCOL_ALL
    if what in ("RST_STREAM", "WINDOW_UPDATE"):
        return "fine"  # open and half-closed: allowed; closed: may have been on its way
    mine = [each for each in past if each[0] == who and each.endswith(("end", "reset", "unpush"))]
    if mine or (sender is CLIENT and pushed):
        return CLOSED  # §5.1: nothing but PRIORITY, WINDOW_UPDATE and RST_STREAM after END_STREAM or a reset
    if any(each.endswith(("reset", "unpush")) for each in past):
        return "fine"  # it may have been on its way
    # What follows is about messages: §8.1.
    if sender is CLIENT or state in ("answered", "half-closed by the client, answered", "pushed"):
        return PROTOCOL if what == "HEADERS" else "fine"  # trailers end the stream
    return PROTOCOL if what.startswith("DATA") else "fine"  # a body needs its response


def beside(state: str, sender: Sender, what: str) -> str:
    """What an observer says: the server's frame is judged by what the server has said, since the client's HEADERS may still be to come."""
    if state == "idle" and sender is SERVER:
        return PROTOCOL if what.startswith("DATA") else "fine"
    return expected(state, sender, what)


ROWS = [(state, sender, what) for state in HISTORIES for sender in Sender for what in FRAMES]


def last(state: str, sender: Sender, what: str) -> bytes:
    past = HISTORIES[state].split()
    stream = 2 if state.startswith(("reserved", "pushed")) else 1
    end = what.endswith("END_STREAM")
    if what.startswith("HEADERS"):
        who = sender.value[0].upper()
        begun = any(
            each.startswith((f"{who}:head", f"{who}:pushed")) for each in past if stream == 1 or "pushed" in each
        )
        fields = TRAILERS if begun else REQUEST if sender is CLIENT else RESPONSE
        return headers(stream, fields, end)
    if what.startswith("DATA"):
        return frame(DATA, END_STREAM if end else 0, stream, b"body")
    promised = 4 if any("push" in each for each in past) else 2
    return {
        "RST_STREAM": rst(stream),
        "PUSH_PROMISE": frame(PUSH_PROMISE, END_HEADERS, stream, u32(promised) + block(GET)),
        "PRIORITY": frame(PRIORITY, 0, stream, u32(0) + b"\x0f"),
        "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, stream, u32(1)),
    }[what]


def steps_of(state: str, sender: Sender, what: str) -> list[Step]:
    receiver = sender.other
    steps = []
    for each in HISTORIES[state].split():
        who, _, action = each.partition(":")
        steps.append(step(CLIENT if who == "C" else SERVER, action, receiver))
    return [*steps, (sender, last(state, sender, what))]


OTHERS = {
    # What h2 and nghttp2 say that no rule below covers.
    (H2, "half-closed by the server", SERVER, "PUSH_PROMISE"): "stream REFUSED_STREAM",
    (H2, "reserved", CLIENT, "DATA"): CLOSED,
    (H2, "reserved", CLIENT, "DATA END_STREAM"): CLOSED,
    (H2, "reserved", SERVER, "DATA"): CLOSED,
    (H2, "reserved", SERVER, "DATA END_STREAM"): CLOSED,
    (H2, "reserved", SERVER, "WINDOW_UPDATE"): "fine",
    (Nghttp2, "half-closed by the server", SERVER, "PUSH_PROMISE"): "connection STREAM_CLOSED",
    (Nghttp2, "reserved", CLIENT, "DATA"): "connection STREAM_CLOSED",
    (Nghttp2, "reserved", CLIENT, "DATA END_STREAM"): "connection STREAM_CLOSED",
}


def agrees(new: type[H2 | Nghttp2], theirs: str, row: tuple[str, Sender, str]) -> bool:
    """Whether what the other implementation says is what the RFC asks for, or what it leaves to it."""
    state, _, what = row
    wanted = expected(*row)
    if (new, *row) in OTHERS:
        return theirs == OTHERS[(new, *row)]
    if theirs == wanted or theirs == wanted.replace("stream", "connection"):
        return True  # §5.4.2: an error of a stream may be taken for one of the connection
    closed = state == "closed" or "reset" in state or "ended" in state
    if closed and wanted == "fine" and new is H2:
        # §5.1: what comes late may be taken for an error; h2 does at once.
        return theirs == ("stream REFUSED_STREAM" if what == "PUSH_PROMISE" else CLOSED)
    if closed and new is Nghttp2:
        # It does not tell streams that are closed from each other, ignores what comes on them, cancels what is promised there, and has
        # another code for HEADERS of a client on a stream of the server.
        return theirs in ("fine", "stream CANCEL", PROTOCOL_ALL) and not (theirs == "fine" and what == "PUSH_PROMISE")
    return False


@pytest.mark.parametrize("row", ROWS, ids=[f"{state}: {sender.value} {what}" for state, sender, what in ROWS])
def test_beside_h2(row: tuple[str, Sender, str]) -> None:
    theirs, ours = judge(H2, row[1].other, steps_of(*row))
    assert ours == beside(*row)
    assert agrees(H2, theirs, row), theirs


@pytest.mark.interop
@pytest.mark.parametrize("row", ROWS, ids=[f"{state}: {sender.value} {what}" for state, sender, what in ROWS])
def test_beside_nghttp2(row: tuple[str, Sender, str]) -> None:
    theirs, ours = judge(Nghttp2, row[1].other, steps_of(*row))
    assert ours == beside(*row)
    assert agrees(Nghttp2, theirs, row), theirs


@pytest.mark.parametrize(
    "row", ROWS[: 2 * len(FRAMES)], ids=[f"{s}: {w.value} {what}" for s, w, what in ROWS[: 2 * len(FRAMES)]]
)
def test_an_endpoint_knows_what_is_idle(row: tuple[str, Sender, str]) -> None:
    assert row[0] == "idle"
    ours, _ = judge(Ours, row[1].other, steps_of(*row))
    assert ours == expected(*row)
