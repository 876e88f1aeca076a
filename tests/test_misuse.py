"""What a caller does wrong is an exception, in the compiled build as in the pure one: never a crash, never an endless loop."""

import sys

import pytest

from l7codecs import (
    L7Error,
    Limits,
    Message,
    Opaque,
    Sender,
    Session,
    Status,
    __compiled__,
    list_protocols,
    open_session,
)

C, S = Sender.CLIENT, Sender.SERVER
NAMES = ["auto", *(entry.name for entry in list_protocols())]
BROKEN = b"*1\r\n$x\r\n"
WRONG = (None, "x", b"x", -1, 1 << 80, object(), [])
REFUSED = (AttributeError, TypeError, ValueError, OverflowError, L7Error)


def words(session: Session) -> list[str]:
    return sorted(name for name in dir(session) if not name.startswith("_"))


def properties(session: Session) -> list[str]:
    """Attributes that a class computes: those that both builds must not let go."""
    return [name for name in words(session) if isinstance(getattr(type(session), name, None), property)]


@pytest.mark.parametrize("endpoint", [None, C, S])
@pytest.mark.parametrize("name", NAMES)
def test_no_attribute_crashes(name: str, endpoint: Sender | None) -> None:
    for word in words(open_session(name, endpoint=endpoint)):
        session = open_session(name, endpoint=endpoint)
        if callable(getattr(session, word)):
            continue
        for value in WRONG:
            try:
                setattr(session, word, value)
            except REFUSED:
                pass
        session = open_session(name, endpoint=endpoint)
        try:
            delattr(session, word)
        except AttributeError:
            assert getattr(session, word, None) == getattr(session, word, None)
    session = open_session(name, endpoint=endpoint)
    for word in ("paused", "queued", "closing", "protocol", "pending"):
        with pytest.raises(AttributeError):
            delattr(session, word)
        assert getattr(session, word) in (False, 0, None, session.protocol)


def test_a_setting_of_one_protocol_cannot_be_deleted() -> None:
    session = open_session("http2", endpoint=S)
    with pytest.raises(AttributeError):
        del session.extended_connect  # type: ignore[attr-defined]  # of HTTP/2 alone
    assert session.extended_connect is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("endpoint", [None, C, S])
@pytest.mark.parametrize("name", NAMES)
def test_no_call_crashes(name: str, endpoint: Sender | None, end: bool) -> None:
    """Every method with every count of wrong arguments, on a new session and after both sides have failed and ended."""
    for word in words(open_session(name, endpoint=endpoint)):
        for value in WRONG:
            for count in range(4):
                session = open_session(name, endpoint=endpoint)
                if end:
                    for sender in Sender:
                        for events in (session.receive(sender, BROKEN), session.eof(sender)):
                            try:
                                list(events)
                            except L7Error:
                                pass
                method = getattr(session, word)
                if not callable(method):
                    continue
                try:
                    method(*([value] * count))
                except REFUSED:
                    pass


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sender", Sender)
def test_a_gap_behind_an_error_that_was_not_iterated(name: str, sender: Sender) -> None:
    session = open_session(name)
    session.receive(sender, BROKEN)
    try:
        assert list(session.gap(sender, 5))
    except L7Error:
        with pytest.raises(L7Error):
            list(session.gap(sender, 5))


def test_a_session_of_another_protocols_messages() -> None:
    (request,) = open_session("redis").receive(C, b"PING\r\n")
    assert isinstance(request, Message)
    for name in NAMES:
        for event in (request, Opaque(C, 0, b"x")):
            session = open_session(name, endpoint=C)
            try:
                session.put(event)
                session.send(event)
                session.reply_error(request, Status.INTERNAL, "\ud800")
            except REFUSED:
                pass


def things() -> list[object]:
    """A session, and events of every kind."""
    session = open_session("redis", limits=Limits(message=64, head=64))
    events = [
        *session.receive(C, b"GET a\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99\r\n" + b"x" * 99 + b"\r\n"),
        *session.receive(S, b"$1\r\na\r\n"),
        *session.gap(S, 5),
        *session.receive(S, b"\r\n"),
    ]
    http2 = open_session("http2")
    events += http2.receive(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\x03\1\5\0\0\0\1\x82\x86\x84")
    assert {type(event).__name__ for event in events} >= {"RedisRequest", "RedisReply", "Data", "Gap", "Http2Message"}
    return [session, http2, *events]


def test_a_refused_value_leaves_the_old_one() -> None:
    """To the reference: a value that is refused takes none away, nor is it kept."""
    for thing in things():
        for word in dir(thing):
            if word.startswith("__") or callable(old := getattr(thing, word, None)) or getattr(thing, word) is not old:
                continue
            before = sys.getrefcount(old)
            if old is None or type(old) in (bool, int):  # everybody's
                continue
            for value in WRONG:
                try:
                    setattr(thing, word, value)
                except REFUSED:
                    assert getattr(thing, word) is old
                else:
                    setattr(thing, word, old)
            assert sys.getrefcount(old) == before, (thing, word)


def test_what_a_loop_looks_at_is_read_in_place() -> None:
    """CPython reads a member of a type without a call; a native attribute with a getter costs ten times as much."""
    for word in ("sender", "kind", "request", "flow"):
        kinds = [type(vars(cls)[word]).__name__ for cls in Message.__mro__ if word in vars(cls)]
        assert kinds == (["member_descriptor"] if __compiled__ else kinds), word


def test_a_property_refuses_what_it_cannot_keep() -> None:
    """What is no message was read as one all the same: a crash."""
    (request,) = open_session("redis").receive(C, b"PING\r\n")
    assert isinstance(request, Message)
    for wrong in (3, "x", request):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            request.request = wrong  # type: ignore[assignment]
    assert request.request is None


@pytest.mark.parametrize("name", NAMES)
def test_the_end_of_an_iteration_is_seen_by_all_who_ask(name: str) -> None:
    session = open_session(name)
    events = session.receive(C, b"")
    assert list(events) == [] and next(events, None) is None
    with pytest.raises(StopIteration):
        next(events)
    with pytest.raises(StopIteration):
        events.__next__()


@pytest.mark.parametrize("wrong", [5, "text", [65], None])
def test_what_has_no_octets_is_not_received(wrong: object) -> None:
    session = open_session("redis")
    with pytest.raises(TypeError):
        session.receive(C, wrong)  # type: ignore[arg-type]
    (message,) = session.receive(C, memoryview(b"PING\r\n"))
    assert message.raw == b"PING\r\n"
