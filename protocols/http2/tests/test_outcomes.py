"""The outcome of a call of gRPC that does not say it: never OK. What grpcio, grpc-js, grpc-java and tonic agree on."""

import pytest
from hpack import Encoder

from l7codecs import Event, Kind, Message, Sender, Session, Status, open_session

C, S = Sender.CLIENT, Sender.SERVER
CALL = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/p.S/M"),
    (":authority", "a"),
    ("content-type", "application/grpc"),
]
PAGE = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
GRPC = ("content-type", "application/grpc")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END = 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Talk:
    """A connection with one stream, as an observer hears it."""

    def __init__(self, request: list[tuple[str, str]] = CALL) -> None:
        self.session: Session = open_session("http2")
        self.encoders = {C: Encoder(), S: Encoder()}
        self.hear(C, PREFACE + frame(4, 0, 0))
        self.hear(S, frame(4, 0, 0))
        self.headers(C, request, END)

    def hear(self, sender: Sender, octets: bytes) -> list[Event]:
        return list(self.session.receive(sender, octets))

    def headers(self, sender: Sender, fields: list[tuple[str, str]], flags: int = 0) -> Message:
        (event,) = self.hear(sender, frame(1, 4 | flags, 1, self.encoders[sender].encode(fields)))
        assert isinstance(event, Message)
        return event

    def data(self, flags: int = 0) -> Event:
        (event,) = self.hear(S, frame(0, flags, 1, b"\0\0\0\0\1x"))
        return event

    def reset(self, sender: Sender, code: int) -> Message:
        (event,) = self.hear(sender, frame(3, 0, 1, code.to_bytes(4, "big")))
        assert isinstance(event, Message)
        return event


CODES = [
    ("200", "UNKNOWN"), ("302", "UNKNOWN"), ("400", "INTERNAL"), ("401", "UNAUTHENTICATED"), ("403", "PERMISSION_DENIED"),
    ("404", "UNIMPLEMENTED"), ("418", "UNKNOWN"), ("429", "UNAVAILABLE"), ("500", "UNKNOWN"), ("501", "UNKNOWN"), ("502", "UNAVAILABLE"),
    ("503", "UNAVAILABLE"), ("504", "UNAVAILABLE"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status"), CODES)
@pytest.mark.parametrize("unreadable", [None, "", "-1", "x", "00000"])
@pytest.mark.parametrize("kind", [GRPC, ("content-type", "text/html")], ids=["grpc", "page"])
def test_no_status_in_an_answer_of_headers(
    code: str, status: str, unreadable: str | None, kind: tuple[str, str]
) -> None:
    said = [] if unreadable is None else [("grpc-status", unreadable)]
    answer = Talk().headers(S, [(":status", code), kind, *said], END)
    assert answer.status is not None
    assert answer.status.name == status
    assert answer.error == (code if code >= "400" else status)


@pytest.mark.parametrize(("code", "status"), CODES)
def test_no_status_in_trailers(code: str, status: str) -> None:
    talk = Talk()
    answer = talk.headers(S, [(":status", code), GRPC])
    assert answer.status is None if code == "200" else answer.status is Status[status]
    talk.data()
    trailers = talk.headers(S, [("x", "y")], END)
    assert (trailers.kind, trailers.status) == (Kind.TRAILERS, Status[status])


@pytest.mark.parametrize(("code", "status"), CODES)
@pytest.mark.parametrize("cut", [False, True])
def test_data_ends_the_stream(code: str, status: str, cut: bool) -> None:
    """No event comes behind it: the head of the answer tells it from then on."""
    talk = Talk()
    answer = talk.headers(S, [(":status", code), GRPC])
    if cut:
        octets = frame(0, END, 1, b"\0\0\0\0\1x")
        assert [event.raw for at in range(len(octets)) for event in talk.hear(S, octets[at : at + 1])]
    else:
        talk.data(END)
    assert answer.status is Status[status]


@pytest.mark.parametrize("number", [0, 5, 16])
def test_a_status_in_trailers_is_the_outcome_whatever_http_says(number: int) -> None:
    for code in ("200", "503"):
        talk = Talk()
        talk.headers(S, [(":status", code), GRPC])
        assert talk.headers(S, [("grpc-status", str(number))], END).status is Status(number)


@pytest.mark.parametrize("request_fields", [CALL, PAGE], ids=["grpc", "http"])
@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(("sender", "status"), [(S, Status.INTERNAL), (C, Status.CANCELLED)])
def test_a_reset_without_an_error_before_the_end_is_a_failure(
    request_fields: list[tuple[str, str]], answered: bool, sender: Sender, status: Status
) -> None:
    talk = Talk(request_fields)
    if answered:
        talk.headers(S, [(":status", "200"), GRPC])
    reset = talk.reset(sender, 0)
    assert (reset.kind, reset.status, reset.error) == (Kind.RESET, status, "NO_ERROR")


def test_a_reset_without_an_error_behind_the_end_says_nothing() -> None:
    talk = Talk()
    talk.session = open_session("http2")
    talk.encoders = {C: Encoder(), S: Encoder()}
    talk.hear(C, PREFACE + frame(4, 0, 0))
    talk.hear(S, frame(4, 0, 0))
    talk.headers(C, CALL)  # the request goes on
    trailers = talk.headers(S, [(":status", "200"), GRPC, ("grpc-status", "7")], END)
    assert trailers.status is Status.PERMISSION_DENIED
    reset = talk.reset(S, 0)
    assert (reset.status, reset.error) == (None, None)


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        ("3", "UNKNOWN", "BIZ_EXCEPTION"),
        ("2", "DEADLINE_EXCEEDED", "TIMEOUT_EXCEPTION"),
        ("99", "UNKNOWN", "exception 99"),
    ],
)
def test_what_a_method_of_triple_threw(code: str, status: str, word: str) -> None:
    talk = Talk([*CALL, ("tri-service-version", "1")])
    talk.headers(S, [(":status", "200"), GRPC, ("tri-exception-code", code)])
    talk.data()
    trailers = talk.headers(S, [("grpc-status", "0")], END)
    assert (trailers.protocol, trailers.status, trailers.error) == ("triple", Status[status], word)
    assert trailers.attributes["error.type"] == word


@pytest.mark.parametrize(("code", "number"), [("404", 12), ("500", 2)])
def test_triple_says_both(code: str, number: int) -> None:
    talk = Talk([*CALL, ("tri-service-version", "1")])
    assert talk.headers(S, [(":status", code), GRPC, ("grpc-status", str(number))], END).status is Status(number)


# Joined midway: 0x80 + 62 and on are entries of a table that nobody saw.


def joined(*said: tuple[Sender, str]) -> list[Message]:
    session = open_session("http2")
    for sender in (C, S):
        list(session.gap(sender))
    events = [event for sender, octets in said for event in session.receive(sender, bytes.fromhex(octets))]
    return [event for event in events if isinstance(event, Message) and event.stream_id is not None]


ASKED = "00000a0105000000658386c7c6c5c4c3c2c1c0 0000080600000000000000000000000000"


def test_a_status_on_the_wire_is_used() -> None:
    answered = "00001101050000006588c0400b677270632d7374617475730133 0000080601000000000000000000000000"
    _, answer = joined((C, ASKED), (S, answered))
    assert (answer.protocol, answer.status, answer.error) == ("grpc", Status.INVALID_ARGUMENT, "INVALID_ARGUMENT")


def test_what_is_not_known_is_never_ok() -> None:
    """The answer has status 200 and two fields that nobody knows."""
    _, answer = joined((C, ASKED), (S, "00000301050000006588c0c1 0000080601000000000000000000000000"))
    assert answer.status is Status.UNKNOWN
    _, answer = joined((C, ASKED), (S, "00000301040000006588c0c1 0000080601000000000000000000000000"))
    assert answer.status is None
    # Its type is known, and is not gRPC's (literal with the indexed name content-type: text/html).
    page = "00000e01050000006588c00f1009746578742f68746d6c"
    _, answer = joined((C, ASKED), (S, page + "0000080601000000000000000000000000"))
    assert (answer.protocol, answer.status) == ("http2", Status.OK)


def test_a_header_of_grpc_proves_the_call() -> None:
    timeout = (b"\x00\x0cgrpc-timeout\x021S").hex()
    block = "8386c7c6c0" + timeout
    size = len(bytes.fromhex(block))
    asked = f"{size:06x}010500000065{block} 0000080600000000000000000000000000"
    request, answer = joined((C, asked), (S, "00000301050000006588c0c1 0000080601000000000000000000000000"))
    assert (request.protocol, answer.protocol, answer.status) == ("grpc", "grpc", Status.UNKNOWN)


@pytest.mark.parametrize("flags", [0, END])
def test_what_asks_has_no_outcome_whatever_it_says(flags: int) -> None:
    talk = Talk()
    talk.session = open_session("http2")
    talk.encoders = {C: Encoder(), S: Encoder()}
    talk.hear(C, PREFACE + frame(4, 0, 0))
    request = talk.headers(C, [*CALL, ("grpc-status", "5")], flags)
    assert (request.kind, request.status, request.error) == (Kind.REQUEST, None, None)


def test_an_observer_tells_what_waits() -> None:
    """As of every protocol: until the answer has come to its end, be it by trailers or by a reset."""
    for kind, flags, payload in ((0, END, b""), (3, 0, bytes(4)), (1, 5, b"\x88")):
        talk = Talk()
        (request,) = talk.session.unanswered()
        assert request.operation == "M" and talk.session.pending == 1
        if kind != 1:
            talk.headers(S, [(":status", "200"), GRPC])
            assert talk.session.unanswered() == [request]
        talk.hear(S, frame(kind, flags, 1, payload))
        assert talk.session.unanswered() == [] and talk.session.pending == 0
