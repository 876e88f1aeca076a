"""What grpcio's client and server say of their calls, seen from the wire: between them, and on either side of the relay of examples/."""

from __future__ import annotations

import base64
import contextlib
import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import grpc
import pytest

from l7codecs import Kind, Message, Sender, Status
from l7codecs.testing import PATIENCE

from .conftest import GrpcRoom, ServerCall, as_octets
from .observing import Call, headers_of

pytestmark = pytest.mark.parametrize(
    "grpc_room",
    ["direct", "before the example", "behind the example"],
    indirect=True,
    ids=lambda where: where.split()[0],
)
RESERVED = (
    "content-type",
    "te",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "grpc-status",
    "grpc-message",
)
METADATA = (("x-key", "one"), ("x-key", "two, three"), ("x-data-bin", b"\xff\0\x01"), ("authorization", "Bearer abc"))


def metadata_of(message: Message | None) -> list[tuple[str, bytes]]:
    """The metadata in the headers of `message`, as grpcio gives them."""
    found = []
    for name, value in headers_of(message):
        if name in RESERVED:
            continue
        if name.endswith("-bin"):
            value = value[1:] if value[:1] == b"\0" else base64.b64decode(value + b"=" * (-len(value) % 4))
        found.append((name, value))
    return sorted(found, key=lambda pair: pair[0])


def check_call(call: Call, said: ServerCall) -> None:
    """What the server saw and sent."""
    request = call.request
    assert f"/{request.service}/{request.operation}" == said.method
    assert (request.protocol, request.service) == ("grpc", "pack.Test")
    assert request.attributes["rpc.method"] == said.method[1:]
    assert metadata_of(request) == said.metadata
    assert call.messages(Sender.CLIENT) == said.received
    assert call.messages(Sender.SERVER) == said.sent
    timeout = request.attributes.get("grpc.timeout_ms")
    assert (timeout is None) is (said.remaining is None or said.remaining > 1e6)
    if isinstance(timeout, int) and said.remaining is not None:
        assert said.remaining * 1000 <= timeout <= said.remaining * 1000 + 2000
    if call.last.kind is not Kind.RESET:
        # A server that answers before the request has ended resets it: how many messages were to come nobody knows.
        cut = bool(call.resets) and Sender.CLIENT not in call.ended
        assert call.counts == (None if cut else len(said.received), len(said.sent))


def check_end(call: Call, ended: grpc.Call) -> None:
    """What the client got at the end."""
    code = ended.code()
    assert call.status == code.value[0]
    last = call.last
    assert last.attributes["rpc.response.status_code"] == code.name
    assert last.error == (None if code is grpc.StatusCode.OK else code.name)
    assert last.attributes.get("error.type") == (None if code is grpc.StatusCode.OK else code.name)
    assert unquote(dict(headers_of(last)).get("grpc-message", b"").decode()) == ended.details()
    assert metadata_of(last) == as_octets(ended.trailing_metadata())
    if last is not call.response:
        assert call.response is not None and call.response.status is None
        assert metadata_of(call.response) == as_octets(ended.initial_metadata())


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("size", [0, 1, 20_000])
def test_both_streams(grpc_room: GrpcRoom, count: int, size: int) -> None:
    call = grpc_room.call("Echo")(iter([b"x" * size] * count), metadata=METADATA, timeout=30)
    assert list(call) == [b"x" * size] * count
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    check_end(heard.call, call)
    assert 29_000 <= int(str(heard.call.request.attributes["grpc.timeout_ms"])) <= 30_000


def test_client_stream(grpc_room: GrpcRoom) -> None:
    call = grpc_room.call("Collect")(iter([b"a", b"", b"b" * 300]))
    assert list(call) == [b"a" + b"b" * 300]
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    check_end(heard.call, call)
    assert heard.call.counts == (3, 1)
    assert "grpc.timeout_ms" not in heard.call.request.attributes


def test_server_stream(grpc_room: GrpcRoom) -> None:
    call = grpc_room.call("Many")(iter([b"300,777"]))
    assert len(list(call)) == 300
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    check_end(heard.call, call)
    assert heard.call.counts == (1, 300)


def test_unary_calls(grpc_room: GrpcRoom) -> None:
    unary = grpc_room.channel.unary_unary("/pack.Test/Echo")
    for number in range(30):
        answer, call = unary.with_call(b"%d" % number, metadata=(("x-number", str(number)), ("x-same", "same")))
        assert answer == b"%d" % number and call.code() is grpc.StatusCode.OK
    heard = grpc_room.hear()
    heard.check()
    assert [call.request.headers["x-number"] for call in heard.calls] == [b"%d" % number for number in range(30)]
    for call, said in zip(heard.calls, grpc_room.service.calls, strict=True):
        check_call(call, said)
        assert call.counts == (1, 1) and call.status is Status.OK


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize(
    "code", [each for each in grpc.StatusCode if each is not grpc.StatusCode.OK], ids=lambda code: code.name
)
def test_every_error(grpc_room: GrpcRoom, code: grpc.StatusCode, count: int) -> None:
    """As trailers-only, and behind answers."""
    call = grpc_room.call("Fail")(iter([f"{count},{code.value[0]},no such ключ 100%".encode()]))
    with pytest.raises(grpc.RpcError):
        list(call)
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    check_end(heard.call, call)
    assert call.code() is code
    assert heard.call.last.kind is (Kind.TRAILERS if count else Kind.RESPONSE)
    assert heard.call.code == 200


def test_unimplemented(grpc_room: GrpcRoom) -> None:
    call = grpc_room.call("None")(iter([b"x"]))
    with pytest.raises(grpc.RpcError):
        list(call)
    heard = grpc_room.hear()
    heard.check()
    check_end(heard.call, call)
    assert heard.call.status is Status.UNIMPLEMENTED and heard.call.request.operation == "None"


def test_deadline(grpc_room: GrpcRoom) -> None:
    grpc.channel_ready_future(grpc_room.channel).result(PATIENCE)
    call = grpc_room.call("Wait")(iter([b"x"]), timeout=1)
    with pytest.raises(grpc.RpcError):
        list(call)
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    # The client sends what is left of the time, rounded up; check_call compares it with what the server saw.
    assert 0 < int(str(heard.call.request.attributes["grpc.timeout_ms"])) <= 1100
    assert grpc_room.service.calls[0].ended.wait(PATIENCE)
    # Whoever is first: the server answers, or the client resets.
    last = heard.call.last
    assert (last.kind, last.sender, last.status, last.error) in [
        (Kind.TRAILERS, Sender.SERVER, Status.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (Kind.RESET, Sender.CLIENT, Status.CANCELLED, "CANCEL"),
    ]


def test_cancel(grpc_room: GrpcRoom) -> None:
    hold = threading.Event()

    def requests():
        yield b"first"
        hold.wait(20)

    call = grpc_room.call("Wait")(requests())
    assert next(call) == b"first"
    call.cancel()
    with contextlib.suppress(grpc.RpcError, StopIteration):
        next(call)
    hold.set()
    assert call.code() is grpc.StatusCode.CANCELLED
    assert grpc_room.service.calls[0].ended.wait(PATIENCE)
    heard = grpc_room.hear()
    heard.check()
    assert len(heard.call.resets) == 1
    reset = heard.call.resets[0]
    assert (reset.sender, reset.error, reset.status) == (Sender.CLIENT, "CANCEL", Status.CANCELLED)
    assert (reset.protocol, reset.service, reset.operation) == ("grpc", "pack.Test", "Wait")
    assert heard.call.status is Status.CANCELLED
    check_call(heard.call, grpc_room.service.calls[0])


def test_large_messages(grpc_room: GrpcRoom) -> None:
    """Messages over many frames, or in frames larger than the limit of one message."""
    big = bytes(range(256)) * 4096 * 3
    call = grpc_room.call("Echo")(iter([big, b"small", big]))
    assert list(call) == [big, b"small", big]
    heard = grpc_room.hear()
    heard.check()
    check_call(heard.call, grpc_room.service.calls[0])
    check_end(heard.call, call)
    assert max(len(event.raw) for event in heard.events) <= 1024 * 1024 + 64 * 1024


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"\0"],
        [b"\0\0", b"\0"],
        [b"ab", b"abc", b"abcd"],
        [b"\xfb\xef\xff"],
        [b"a, b", b",", b"AAA="],
        [b" padded\t", b"\r\n"],
        [bytes(range(256)) * 8],
    ],
    ids=lambda values: repr(values[0][:6]),
)
def test_binary_metadata(grpc_room: GrpcRoom, values: list[bytes]) -> None:
    """Octets of any value and length, several under one name, there and back twice."""
    own = [("x-one-bin", value) for value in values] + [("x-text", "two, three")]
    call = grpc_room.call("Mirror")(iter([b"x"]), metadata=own)
    assert list(call) == [b"x"]
    heard = grpc_room.hear()
    heard.check()
    said = grpc_room.service.calls[0]
    check_call(heard.call, said)
    check_end(heard.call, call)
    found = [metadata_of(heard.call.request), metadata_of(heard.call.response), metadata_of(heard.call.last)]
    for metadata in (said.metadata, as_octets(call.initial_metadata()), as_octets(call.trailing_metadata()), *found):
        assert [pair for pair in metadata if pair[0].startswith("x-")] == as_octets(own)


def test_compressed_requests(grpc_room: GrpcRoom) -> None:
    call = grpc_room.call("Collect")(iter([b"a" * 5000, b"b" * 5000]), compression=grpc.Compression.Gzip)
    assert list(call) == [b"a" * 5000 + b"b" * 5000]
    heard = grpc_room.hear()
    heard.check()
    assert heard.call.request.headers["grpc-encoding"] == b"gzip"
    assert heard.call.counts == (2, 1)
    assert heard.call.flags(Sender.CLIENT) == [1, 1] and heard.call.flags(Sender.SERVER) == [0]
    assert [gzip.decompress(each) for each in heard.call.messages(Sender.CLIENT)] == grpc_room.service.calls[0].received


def test_compressed_answers(grpc_room: GrpcRoom) -> None:
    call = grpc_room.call("Squeeze")(iter([b"a" * 5000, b"b" * 70_000]))
    assert list(call) == [b"a" * 5000, b"b" * 70_000]
    heard = grpc_room.hear()
    heard.check()
    assert heard.call.response is not None and heard.call.response.headers["grpc-encoding"] == b"gzip"
    assert heard.call.counts == (2, 2)
    assert heard.call.flags(Sender.CLIENT) == [0, 0] and heard.call.flags(Sender.SERVER) == [1, 1]
    assert [gzip.decompress(each) for each in heard.call.messages(Sender.SERVER)] == grpc_room.service.calls[0].sent


def test_large_messages_at_once(grpc_room: GrpcRoom) -> None:
    """Past every window in both directions, on one connection."""
    big = [bytes([number]) * 2_500_000 for number in range(6)]
    echo = grpc_room.channel.unary_unary("/pack.Test/Echo")
    calls = [echo.future(each, timeout=60) for each in big]
    assert [call.result() for call in calls] == big
    heard = grpc_room.hear()
    heard.check()
    assert sorted(call.messages(Sender.CLIENT) for call in heard.calls) == [[each] for each in big]
    assert sorted(call.messages(Sender.SERVER) for call in heard.calls) == [[each] for each in big]
    assert {call.counts for call in heard.calls} == {(1, 1)}


def test_many_at_once(grpc_room: GrpcRoom) -> None:
    """400 calls from eight threads, each answered with its own number."""

    def talk(number: int) -> grpc.Call:
        octets = b"%d" % number
        call = grpc_room.call("Echo")(iter([octets] * (number % 4)), metadata=(("x-number", str(number)),))
        assert list(call) == [octets] * (number % 4)
        return call

    with ThreadPoolExecutor(8) as threads:
        ended = list(threads.map(talk, range(400)))
    heard = grpc_room.hear()
    heard.check()
    assert len(heard.calls) == 400
    said = {dict(each.metadata)["x-number"]: each for each in grpc_room.service.calls}
    for call in heard.calls:
        number = call.request.headers["x-number"]
        assert isinstance(number, bytes)
        check_call(call, said[number])
        check_end(call, ended[int(number)])
        assert call.counts == (int(number) % 4, int(number) % 4)
        assert set(call.messages(Sender.SERVER)) <= {number}
