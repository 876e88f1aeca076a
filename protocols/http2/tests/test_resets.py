"""What comes on a stream after one side has reset it, and before the other knows (RFC 9113 §5.1, "closed"): seen from beside."""

from __future__ import annotations

from l7codecs import DEFAULT_LIMITS, Data, Kind, Limits, Message, Sender, Status, open_session

from .implementations import (
    CLIENT,
    DATA,
    END_STREAM,
    PREFACE,
    SERVER,
    SETTINGS,
    Observer,
    block,
    frame,
    headers,
    rst,
)  # fmt: skip

GRPC = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/pack.Service/Call"),
    (b":authority", b"a.test"),
    (b"content-type", b"application/grpc"),
]
ANSWER = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0")]


def observed(*steps: tuple[Sender, bytes], limits: Limits = DEFAULT_LIMITS) -> list[Message | Data]:
    """What an observer sees of `steps`, behind the preface and SETTINGS of both."""
    observer = Observer()
    observer.session = open_session("http2", limits=limits)
    found = []
    for sender, octets in ((CLIENT, PREFACE + frame(SETTINGS, 0, 0)), (SERVER, frame(SETTINGS, 0, 0)), *steps):
        found = list(observer.session.receive(sender, octets))
        observer.events += found
    return observer.events[3:]


def test_a_late_answer_is_one() -> None:
    body = b"\0\0\0\0\1x"
    request, reset, *late = observed(
        (CLIENT, headers(1, GRPC, True) + rst(1)),
        (SERVER, headers(1, ANSWER) + frame(DATA, 0, 1, body) + headers(1, TRAILERS, True)),
        (SERVER, frame(DATA, END_STREAM, 1)),
    )
    assert (request.kind, reset.kind) == (Kind.REQUEST, Kind.RESET)
    response, data, trailers, behind = late
    assert [each.kind for each in (response, trailers)] == [Kind.RESPONSE, Kind.TRAILERS]
    assert response.request is trailers.request is request
    assert (response.protocol, trailers.status, trailers.error) == ("grpc", Status.OK, None)
    assert isinstance(data, Data)
    assert (data.message, data.payload) == (response, body)
    assert trailers.attributes["grpc.response.message_count"] == 1
    # Behind the end of the stream nothing may come, whoever has reset it.
    assert (behind.kind, behind.operation, behind.error) == (Kind.CONTROL, "DATA", "STREAM_CLOSED")


def test_the_rest_of_a_request_that_the_server_has_reset() -> None:
    request, reset, data, trailers = observed(
        (CLIENT, headers(1, GRPC)),
        (SERVER, rst(1, "REFUSED_STREAM")),
        (CLIENT, frame(DATA, 0, 1, b"body") + headers(1, [(b"x", b"1")], True)),
    )
    assert (request.kind, reset.request, reset.status) == (Kind.REQUEST, request, Status.UNAVAILABLE)
    assert (data.message, data.payload) == (request, b"body")
    assert (trailers.kind, trailers.request) == (Kind.TRAILERS, request)


def test_both_sides_reset() -> None:
    request, first, second, data = observed(
        (CLIENT, headers(1, GRPC) + rst(1)), (SERVER, rst(1)), (SERVER, frame(DATA, 0, 1, b"x"))
    )
    assert first.request is second.request is request
    assert (data.kind, data.error) == (Kind.CONTROL, "STREAM_CLOSED")


def test_a_late_answer_to_a_promise() -> None:
    promise = frame(5, 4, 1, b"\0\0\0\2" + block([(b":method", b"GET"), *GRPC[1:4]]))
    _, push, reset, response = observed(
        (CLIENT, headers(1, GRPC)),
        (SERVER, promise),
        (CLIENT, rst(2)),
        (SERVER, headers(2, [(b":status", b"204")], True)),
    )
    assert (push.kind, reset.request) == (Kind.PUSH, push)
    assert (response.kind, response.request, response.status) == (Kind.RESPONSE, push, Status.OK)


def test_a_late_frame_that_says_nothing_of_use() -> None:
    """DATA before any answer, a second answer: the client has reset the stream, so nobody is told of an error."""
    *_, data, response, interim = observed(
        (CLIENT, headers(1, GRPC) + rst(1)),
        (SERVER, frame(DATA, 0, 1, b"x") + headers(1, ANSWER) + headers(1, [(b"x", b"1")])),
    )
    assert (data.kind, data.error) == (Kind.CONTROL, None)
    assert (response.kind, response.error) == (Kind.RESPONSE, None)
    assert (interim.kind, interim.error) == (Kind.TRAILERS, None)


def test_only_the_latest_are_kept() -> None:
    numbers = range(1, 301, 2)
    asked = b"".join(headers(number, GRPC, True) + rst(number) for number in numbers)
    events = observed((CLIENT, asked), (SERVER, b"".join(headers(number, ANSWER, True) for number in numbers)))
    answers = events[2 * len(numbers) :]
    assert [each.kind for each in answers] == [Kind.CONTROL] * 50 + [Kind.RESPONSE] * 100
    assert [each.error for each in answers] == [None] * 50 + ["UNKNOWN"] * 100  # no grpc-status


def test_a_limit_below_what_is_kept() -> None:
    numbers = range(1, 41, 2)
    turns = []
    for number in numbers:
        turns += [(CLIENT, headers(number, GRPC)), (SERVER, rst(number))]
    late = [(CLIENT, headers(number, [(b"x", b"1")], True)) for number in numbers]
    events = observed(*turns, *late, limits=Limits(streams=5))
    assert [each.kind for each in events[40:]] == [Kind.TRAILERS] * 20
