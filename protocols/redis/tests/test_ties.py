"""How commands stand to what ties their client: which bind, open, stay, what they free, and what stands in for one that is refused."""

from __future__ import annotations

import pytest

from l7codecs import Kind, Message, ProtocolError, Sender, Status, Tie, Ties, Unsupported, open_session
from l7codecs_redis import PROTOCOL

C, S = Sender.CLIENT, Sender.SERVER
HOW = PROTOCOL.ties
SAID = """
GET k          | none  |
MULTI          | opens |
MULTI          | stays |
GET k          | stays |
WATCH k        | stays |
EXEC           | stays | transaction watch
EXEC           | stays | transaction watch
WATCH k        | binds |
GET k          | none  |
UNWATCH        | stays | watch
MULTI          | opens |
UNWATCH        | stays |
DISCARD        | stays | transaction watch
MULTI          | opens |
SELECT 1       | stays |
EXEC           | stays |
SUBSCRIBE c    | binds |
UNSUBSCRIBE c  | stays |
BLPOP k 1      | none  |
WAIT 1 1       | stays |
CLIENT TRACKING ON | binds |
CLIENT CACHING YES | leads |
MULTI          | opens |
CLIENT CACHING NO | stays |
DISCARD        | stays | transaction watch
CLIENT REPLY OFF | here |
GET k          | none  |
"""
LINES = [[cell.strip() for cell in line.split("|")] for line in SAID.strip().splitlines()]


def asked(session: object, *lines: str) -> list[Message]:
    octets = "".join(f"{line}\r\n" for line in lines).encode()
    return [each for each in session.receive(C, octets) if isinstance(each, Message)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["by octets", "at once"])
def test_each(size: int) -> None:
    session = open_session("redis", endpoint=S)
    octets = "".join(f"{line[0]}\r\n" for line in LINES).encode()
    found: list[Message] = []
    for at in range(0, len(octets), size):
        found.extend(each for each in session.receive(C, octets[at : at + size]) if isinstance(each, Message))
    seen = [[line[0], HOW.tie(each).value, " ".join(HOW.frees(each))] for line, each in zip(LINES, found, strict=True)]
    assert seen == LINES


def test_what_stands_in_is_refused_by_a_server() -> None:
    session = open_session("redis", endpoint=S)
    before, multi, queued, execute = asked(session, "GET k", "MULTI", "GET k", "EXEC")
    assert HOW.stand_in(before) is HOW.stand_in(multi) is None
    for message, octets, tie in (
        (queued, b"*1\r\n$3\r\nGET\r\n", Tie.STAYS),
        (execute, b"*1\r\n$7\r\nDISCARD\r\n", Tie.STAYS),
    ):
        instead = HOW.stand_in(message)
        assert instead is not None and instead.raw == octets and HOW.tie(instead) is tie and instead.sender is C
    instead = HOW.stand_in(execute)
    assert instead is not None and HOW.frees(instead) == ("transaction", "watch")


def test_what_opens_is_answered_as_a_server_does() -> None:
    session = open_session("redis", endpoint=S)
    before, multi, queued = asked(session, "GET k", "MULTI", "GET k")
    with pytest.raises(Unsupported):
        HOW.reply_opened(session, queued)
    assert HOW.reply_opened(session, multi) == b"", "what was asked before is answered first"
    assert session.reply_error(before, Status.INTERNAL, "no") == b"-ERR no\r\n+OK\r\n"
    with pytest.raises(Unsupported):
        HOW.reply_opened(session, before)
    with pytest.raises(Unsupported):
        Ties().reply_opened(session, multi)


def test_what_leads_is_answered_as_a_server_does() -> None:
    session = open_session("redis", endpoint=S)
    (leading,) = asked(session, "CLIENT CACHING YES")
    assert HOW.reply_opened(session, leading) == b"+OK\r\n"


def test_who_is_told_of_keys_needs_connections_of_its_own() -> None:
    session = open_session("redis", endpoint=S)
    said = [
        "CLIENT TRACKING ON",
        "client tracking on OPTIN",
        "CLIENT TRACKING OFF",
        "CLIENT TRACKING",
        "CLIENT CACHING YES",
        "SELECT 1",
    ]
    found = [(each.prepares, each.unshared) for each in asked(session, *said)]
    assert found == [(True, True), (True, True), (True, False), (True, False), (False, False), (True, False)]
    assert [(each.prepares, each.unshared) for each in asked(session, "MULTI", *said)] == [(False, False)] * 7


def test_what_is_kept_at_servers_is_for_all_of_them() -> None:
    session = open_session("redis", endpoint=S)
    said = ["SCRIPT LOAD x", "function flush", "SCRIPT EXISTS x", "EVAL x 0", "MULTI", "SCRIPT LOAD x"]
    assert [each.spreads for each in asked(session, *said)] == [True, True, False, False, False, False]


@pytest.mark.parametrize("quiet", ["OFF", "SKIP"])
def test_client_reply_that_is_refused_has_no_effect(quiet: str) -> None:
    """As long as nothing came behind it, of which nobody knows then whether it is answered; nor where there were no answers before."""
    session = open_session("redis", endpoint=S)
    said = session.receive(C, f"GET a\r\nCLIENT REPLY {quiet}\r\nGET b\r\nCLIENT REPLY {quiet}\r\nGET c\r\n".encode())
    first, refused = next(said), next(said)
    assert isinstance(first, Message) and isinstance(refused, Message)
    with pytest.raises(ValueError, match="OK"):
        session.reply_error(refused, Status.OK, "")
    assert session.reply_error(refused, Status.PERMISSION_DENIED, "no") == b""
    assert session.reply_error(first, Status.NOT_FOUND, "a") == b"-ERR a\r\n-NOPERM no\r\n"
    second, late, silent = (each for each in said if isinstance(each, Message))
    assert [each.kind for each in (refused, second, late, silent)] == [
        Kind.REQUEST,
        Kind.REQUEST,
        Kind.ONEWAY,
        Kind.ONEWAY,
    ]
    for each in (late, silent, refused):
        with pytest.raises(Unsupported):
            session.reply_error(each, Status.INTERNAL, "")
    (again,) = asked(session, "CLIENT REPLY OFF")
    if quiet == "OFF":
        with pytest.raises(Unsupported):
            session.reply_error(again, Status.INTERNAL, "it is off already")


def test_who_breaks_the_protocol_is_told_behind_all_answers() -> None:
    session = open_session("redis", endpoint=S)
    up = open_session("redis", endpoint=C)
    said = session.receive(C, b"GET a\r\nGET b\r\n*1\r\nx")
    up.put(next(said))
    up.put(next(said))
    with pytest.raises(ProtocolError):
        next(said)
    assert session.pending_output() == b""
    for said, answer in (
        (b"$1\r\na\r\n", b"$1\r\na\r\n"),
        (b"$2000000\r\n" + b"b" * 2_000_000, b"$2000000\r\n" + b"b" * 2_000_000),
    ):
        for each in up.receive(S, said):
            session.put(each)
        assert session.pending_output() == answer
    for each in up.receive(S, b"\r\n"):
        session.put(each)
    session.paused = True
    assert session.pending_output() == b""
    session.paused = False
    assert session.pending_output() == b"\r\n-ERR Protocol error: expected '$', got 'x'\r\n"
    assert session.pending_output() == b""
