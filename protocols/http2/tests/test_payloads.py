"""The messages of gRPC in frames made here: what no well-behaved peer sends."""

from __future__ import annotations

import contextlib
import gzip
import random
import subprocess
import sys
import time
import zlib
from types import ModuleType

import hpack
import pytest
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.message import Message as ProtobufMessage
from l7codecs_http2 import GrpcPayload, GrpcPayloads, GrpcTypes, Http2Message, binary_metadata

from l7codecs import (
    Event,
    IncompleteMessage,
    L7Error,
    LimitExceeded,
    Limits,
    Message,
    ProtocolError,
    Sender,
    Unsupported,
    open_session,
)
from l7codecs.testing import growth

from .shop import TRUTH, order, row, shop_set

C, S = Sender.CLIENT, Sender.SERVER
TYPES = GrpcTypes.from_descriptor_set(shop_set())
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END = 1
Fields = list[tuple[str, str | bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def prefixed(octets: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(octets).to_bytes(4, "big") + octets


class Talk:
    """A connection written frame by frame, and its payloads. Its events are kept, so that any of it can be replayed."""

    def __init__(self, types: GrpcTypes | None = TYPES, limits: Limits | None = None, **options: int) -> None:
        self.session = open_session("http2")
        self.calls = GrpcPayloads(types, limits=limits or Limits(), **options)
        self.found: list[GrpcPayload] = []
        self.events: list[Event] = []
        self._encoders = {sender: hpack.Encoder() for sender in Sender}
        self.write(C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b""))
        self.write(S, frame(SETTINGS, 0, 0, b""))

    def write(self, sender: Sender, octets: bytes) -> list[GrpcPayload]:
        found = []
        for event in self.session.receive(sender, octets):
            self.events.append(event)
            found += self.calls.receive(event)
        self.found += found
        return found

    def forget_fields(self, sender: Sender) -> None:
        """Refer to no header field of before."""
        self._encoders[sender] = hpack.Encoder()

    def headers(self, sender: Sender, stream: int, fields: Fields, end: bool = False) -> list[GrpcPayload]:
        block = self._encoders[sender].encode([(name, value) for name, value in fields])
        return self.write(sender, frame(HEADERS, 4 | end, stream, block))

    def call(self, stream: int = 1, method: str = "Place", kind: str = "application/grpc", **more: str) -> None:
        fields: Fields = [
            (":method", "POST"), (":scheme", "http"), (":path", f"/shop.Orders/{method}"), (":authority", "shop"), ("te", "trailers"),
        ]  # fmt: skip
        fields += [("content-type", kind)] + [(name.replace("_", "-"), value) for name, value in more.items()]
        self.headers(C, stream, fields)

    def answer(self, stream: int = 1, kind: str = "application/grpc", status: str = "200") -> None:
        self.headers(S, stream, [(":status", status), ("content-type", kind)])

    def data(self, octets: bytes, stream: int = 1, sender: Sender = C, end: bool = False) -> list[GrpcPayload]:
        return self.write(sender, frame(DATA, int(end), stream, octets))

    def reset(self, stream: int = 1, sender: Sender = C) -> list[GrpcPayload]:
        return self.write(sender, frame(RST_STREAM, 0, stream, bytes([0, 0, 0, 8])))


def one(octets: bytes, *, types: GrpcTypes | None = TYPES, flag: int = 0, **more: str) -> GrpcPayload:
    """The payload of a call with this message."""
    talk = Talk(types)
    talk.call(**more)
    (found,) = talk.data(prefixed(octets, flag))
    return found


# --------------------------------------------------------------------------------------------------------------- joining


def test_cut_at_every_octet() -> None:
    """One message over two DATA, and five of them octet by octet, empty DATA between."""
    octets = prefixed(order().SerializeToString())
    for at in range(len(octets) + 1):
        talk = Talk()
        talk.call()
        talk.data(octets[:at])
        talk.data(octets[at:])
        (found,) = talk.found
        assert found.octets == octets[5:] and found.decode().SerializeToString() == octets[5:]
    talk = Talk()
    talk.call()
    for octet in octets * 5:
        talk.data(bytes([octet]))
        talk.data(b"")
    assert [(found.octets, found.index) for found in talk.found] == [(octets[5:], index) for index in range(5)]


def test_offsets() -> None:
    """Of the flag of each message, in its direction; padding and frames are counted."""
    talk = Talk()
    talk.call()
    before = sum(len(event.raw) for event in talk.events if event.sender is C)
    payload = prefixed(b"abc") + prefixed(b"")
    talk.write(C, frame(DATA, 8, 1, bytes([4]) + payload + prefixed(b"z")[:2] + bytes(4)))
    talk.data(prefixed(b"z")[2:])
    assert [found.offset for found in talk.found] == [before + 10, before + 18, before + 23]
    octets = b"".join(event.raw for event in talk.events if event.sender is C)
    for found in talk.found[:2]:
        assert octets[found.offset + 5 : found.offset + 5 + (found.size or 0)] == found.octets


def test_many_in_one_frame() -> None:
    talk = Talk()
    talk.call()
    found = talk.data(b"".join(prefixed(b"x" * size) for size in range(100)))
    assert [payload.octets for payload in found] == [b"x" * size for size in range(100)]


def test_streams_do_not_mix() -> None:
    talk = Talk()
    for stream in (1, 3, 5):
        talk.call(stream)
        talk.answer(stream)
    octets = {
        (stream, sender): prefixed(f"{stream}{sender}".encode() * 10) for stream in (1, 3, 5) for sender in Sender
    }
    for at in range(200):
        for (stream, sender), message in octets.items():
            if at < len(message):
                talk.data(message[at : at + 1], stream, sender)
    assert len(talk.found) == 6
    for found in talk.found:
        assert prefixed(found.octets or b"") == octets[found.stream_id, found.sender]
        assert found.request is not None and found.request.stream == found.stream_id
        assert found.head is (found.request if found.sender is C else found.head)


def test_linear_in_the_octets() -> None:
    """A message in frames of 100 octets costs no more for each when it is forty times as long."""

    def seconds(count: int) -> float:
        talk = Talk(limits=Limits(message=2**30))
        talk.call()
        talk.data(prefixed(bytes(100 * count))[:5])
        events = list(talk.session.receive(C, frame(DATA, 0, 1, bytes(100)) * count))
        start = time.process_time()
        found = [payload for event in events for payload in talk.calls.receive(event)]
        taken = time.process_time() - start
        assert [payload.octets for payload in found] == [bytes(100 * count)]
        return taken

    assert growth(seconds, 1_000, 40_000, 40 * 4) <= 40 * 4


def test_what_was_kept_is_forgotten() -> None:
    talk = Talk()
    for stream in range(1, 41, 4):
        talk.call(stream)
        talk.data(prefixed(b"x" * 100)[:50], stream)
        (cut,) = talk.reset(stream)
        assert (cut.octets, cut.size, type(cut.error)) == (None, 100, IncompleteMessage)
        talk.call(stream + 2)
        talk.answer(stream + 2)
        talk.data(prefixed(b"x" * 100), stream + 2, C, end=True)
        talk.data(prefixed(b"x" * 100), stream + 2, S)
        talk.headers(S, stream + 2, [("grpc-status", "0")], end=True)
    assert talk.calls.pending == 0 == talk.session.pending


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("ending", ["data", "trailers", "reset by client", "reset by server", "eof", "forget", "gap"])
def test_a_cut_message_is_told(ending: str, size: int) -> None:
    talk = Talk()
    talk.call()
    talk.data(prefixed(b"whole"))
    octets = prefixed(b"1234567")[:size]
    if ending == "data":
        found = talk.data(octets, end=True)
    else:
        talk.data(octets)
        if ending == "trailers":
            found = talk.headers(C, 1, [("x", "y")], end=True)
        elif ending == "eof":
            found = talk.calls.eof(C)
        elif ending == "forget":
            found = talk.calls.forget(1)
        elif ending == "gap":
            found = [payload for event in talk.session.gap(C, 9) for payload in talk.calls.receive(event)]
        else:
            found = talk.reset(1, C if ending.endswith("client") else S)
    (cut,) = found
    assert cut.octets is None and cut.index == 1 and cut.size == (7 if size >= 5 else None)
    assert isinstance(cut.error, IncompleteMessage) and cut.error.offset == cut.offset
    for use in (cut.content, cut.decode, cut.to_dict):
        with pytest.raises(IncompleteMessage):
            use()
    assert talk.calls.pending == (1 if ending == "gap" else 0)


def test_after_lost_octets() -> None:
    """Bodies that were under way cannot be followed; those that begin later are."""
    talk = Talk()
    talk.call(1)
    talk.answer(1)
    talk.data(prefixed(b"first"))
    for event in talk.session.gap(C, 100):
        talk.calls.receive(event)
    assert talk.data(prefixed(b"second"), end=True) == []
    assert [found.octets for found in talk.data(prefixed(b"answer"), 1, S)] == [b"answer"]
    talk.forget_fields(C)
    talk.call(3)
    assert talk.calls.pending == 2  # the server's body of the first, the client's of the second
    talk.data(prefixed(b"third"), 3)
    assert [found.octets for found in talk.found] == [b"first", b"answer", b"third"]


def test_a_beginning_that_was_not_seen() -> None:
    """Payloads asked for midway: the calls that are under way are left out."""
    talk = Talk()
    talk.call()
    talk.calls = GrpcPayloads(TYPES)
    assert talk.data(prefixed(b"x")) == [] and talk.calls.pending == 0


def test_the_oldest_is_forgotten() -> None:
    talk = Talk(limits=Limits(streams=2))
    for stream in (1, 3, 5, 7):
        talk.call(stream)
        talk.data(prefixed(b"abc")[:6], stream)
    assert talk.calls.pending == 4
    talk.call(9)
    assert [(found.stream_id, type(found.error)) for found in talk.found] == [(1, IncompleteMessage)]
    assert talk.calls.pending == 4 and talk.data(b"bc", 1) == []


def test_limit() -> None:
    """Exactly the limit is kept; a larger one is told where it ends, and nothing of it is held."""
    talk = Talk(limits=Limits(message=100))
    talk.call()
    first, large, last = (prefixed(b"x" * size) for size in (100, 101, 1))
    for at in range(0, 217, 10):
        talk.data((first + large + last)[at : at + 10])
    assert [found.size for found in talk.found] == [100, 101, 1]
    assert [found.octets for found in talk.found] == [b"x" * 100, None, b"x"]
    with pytest.raises(LimitExceeded, match=r"a message of 101 octets, expected at most limits\.message"):
        talk.found[1].to_dict()


def test_a_declared_length_reserves_nothing() -> None:
    import tracemalloc

    talk = Talk(limits=Limits(message=2**40))
    talk.call()
    tracemalloc.start()
    talk.data(b"\0\xff\xff\xff\xff" + b"x" * 1000)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_plain_http_is_left_alone() -> None:
    talk = Talk()
    talk.call(1, kind="application/json")
    assert talk.data(prefixed(b"x")) == []
    talk.call(3)
    talk.answer(3, kind="text/html", status="502")
    assert talk.data(prefixed(b"or what looks like it"), 3, S) == []
    assert [found.octets for found in talk.data(prefixed(b"x"), 3)] == [b"x"]


# -------------------------------------------------------------------------------------------------------------- decoding


def test_unknown_fields_are_kept() -> None:
    octets = TRUTH.Order(id="a").SerializeToString() + b"\xf8\x07\x2a" + b"\xfa\x07\x03abc"
    decoded = one(octets).decode()
    assert decoded.SerializeToString() == octets


def test_unknown_method() -> None:
    for method in ("None", "", "Place/Place", "Orders"):
        found = one(b"\xff\xff", method=method)
        assert found.type_name is None and found.octets == found.content() == b"\xff\xff"
        with pytest.raises(Unsupported, match=r"the types have no method shop\.Orders"):
            found.decode()
    assert one(b"").type_name == "shop.Order"


def test_without_types() -> None:
    found = one(gzip.compress(b"abc"), types=None, flag=1, grpc_encoding="gzip")
    assert found.type_name is None and found.content() == b"abc"
    with pytest.raises(Unsupported, match="no types"):
        found.to_dict()


def test_an_answer_whose_request_was_not_seen() -> None:
    """Joined midway: the response is gRPC by its own headers."""
    session, calls = open_session("http2"), GrpcPayloads(TYPES)
    block = hpack.Encoder().encode([(":status", "200"), ("content-type", "application/grpc")])
    events = list(session.gap(C)) + list(session.gap(S))
    events += session.receive(S, frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 4, 7, block))
    events += session.receive(S, frame(DATA, 0, 7, prefixed(b"\x10\x07")))
    (found,) = [payload for event in events for payload in calls.receive(event)]
    assert (found.request, found.type_name, found.octets) == (None, None, b"\x10\x07")
    with pytest.raises(Unsupported, match="request was not seen"):
        found.decode()


@pytest.mark.parametrize(
    "kind", ["application/grpc", "application/grpc+proto", "Application/gRPC+proto", "application/grpc;a=b"]
)
def test_content_types_of_protobuf(kind: str) -> None:
    assert one(TRUTH.Order(id="a").SerializeToString(), kind=kind).to_dict() == {"id": "a"}


@pytest.mark.parametrize("kind", ["application/grpc+json", "application/grpc+thrift", "application/grpc+"])
def test_other_content_types(kind: str) -> None:
    found = one(b'{"id": "a"}', kind=kind)
    assert found.content() == b'{"id": "a"}'
    with pytest.raises(Unsupported, match="is not protobuf"):
        found.decode()


MESSAGE = order(size=1000).SerializeToString()
COMPRESSED = {"gzip": gzip.compress(MESSAGE), "deflate": zlib.compress(MESSAGE), "identity": MESSAGE}


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_compressed(encoding: str) -> None:
    found = one(COMPRESSED[encoding], flag=1, grpc_encoding=encoding)
    assert found.compressed and found.encoding == encoding
    assert found.octets == COMPRESSED[encoding] and found.content() == MESSAGE
    assert found.decode().SerializeToString(deterministic=True) == order(size=1000).SerializeToString(
        deterministic=True
    )
    assert one(MESSAGE, flag=0, grpc_encoding=encoding).content() == MESSAGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_broken_compression(encoding: str) -> None:
    octets = COMPRESSED[encoding]
    for at in range(0, len(octets), 7):
        with pytest.raises(ProtocolError):
            one(octets[:at], flag=1, grpc_encoding=encoding).content()
    for wrong in (octets + b"x", octets + octets, b"\0" + octets, MESSAGE):
        with pytest.raises(ProtocolError):
            one(wrong, flag=1, grpc_encoding=encoding).decode()


def test_compression_that_is_not_there() -> None:
    with pytest.raises(Unsupported, match="'snappy'"):
        one(b"", flag=1, grpc_encoding="snappy").content()
    with pytest.raises(ProtocolError, match="without grpc-encoding"):
        one(b"", flag=1).content()
    with pytest.raises(ProtocolError, match="saw flag 128, expected 0 or 1"):
        one(b"", flag=128).content()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bomb(encoding: str) -> None:
    """16 MiB in 16 KiB: what is decompressed stays under its cap, and exactly the cap is let through."""
    import tracemalloc

    def payload(size: int) -> GrpcPayload:
        talk = Talk(decoded_size=100_000)
        talk.call(grpc_encoding=encoding)
        octets = prefixed(gzip.compress(bytes(size)) if encoding == "gzip" else zlib.compress(bytes(size)), 1)
        for at in range(0, len(octets), 16_000):
            talk.data(octets[at : at + 16_000])
        (found,) = talk.found
        return found

    assert payload(100_000).content() == bytes(100_000)
    with pytest.raises(LimitExceeded, match="decoded_size = 100000"):
        payload(100_001).content()
    bomb = payload(16 * 1024 * 1024)
    tracemalloc.start()
    with pytest.raises(LimitExceeded):
        bomb.decode()
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_truncated_and_mutated() -> None:
    """Whatever the octets: a message, or an error of this library."""
    chance = random.Random(3)
    whole = order(size=100).SerializeToString()
    samples = [whole[:at] for at in range(len(whole))]
    for _ in range(3000):
        mutated = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        samples.append(bytes(mutated))
    talk = Talk()
    talk.call()
    right = 0
    errors = []
    for sample in samples:
        (found,) = talk.data(prefixed(sample))
        try:
            decoded = found.decode()
            right += 1
        except ProtocolError as error:
            errors.append((error, found))
            with pytest.raises(ProtocolError):
                found.to_dict()
            continue
        assert isinstance(decoded, ProtobufMessage)
        with contextlib.suppress(ProtocolError):
            assert isinstance(found.to_dict(), dict)
    assert len(errors) > 500 and right > 500
    for error, found in errors:
        assert error.offset == found.offset and "shop.Order" in str(error)


def test_the_rest_of_the_call_survives_a_bad_message() -> None:
    talk = Talk()
    talk.call()
    bad, good = talk.data(prefixed(b"\xff") + prefixed(TRUTH.Order(id="a").SerializeToString()))
    with pytest.raises(ProtocolError):
        bad.decode()
    assert good.to_dict() == {"id": "a"}


def test_python_s_own_protobuf_raises_nothing_else() -> None:
    """protobuf has a second implementation, whose errors are others."""
    script = (
        "import sys, pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--import-mode=importlib', sys.argv[1], "
        "'-k', 'mutated or split or nested or any or status or broken or mapping or sets']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, __file__],
        env={**__import__("os").environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# ------------------------------------------------------------------------------------------------------------ dictionaries


def packed(message: ProtobufMessage) -> any_pb2.Any:
    made = any_pb2.Any()
    made.Pack(message)
    return made


def with_extra(*extra: any_pb2.Any) -> bytes:
    made = TRUTH.Order(id="a")
    for each in extra:
        made.extra.add(type_url=each.type_url, value=each.value)
    return made.SerializeToString()


def test_any_in_a_dict() -> None:
    inner = TRUTH.Order(id="b")
    inner.stock["x"].extra.add(type_url="x/shop.Unknown", value=b"\xff\xff")
    octets = with_extra(
        packed(inner),
        any_pb2.Any(type_url="x.org/a/shop.Unknown", value=b"\xff\xfe"),
        packed(duration_pb2.Duration(seconds=1)),
        any_pb2.Any(),
    )
    found = one(octets)
    assert found.to_dict() == {
        "id": "a",
        "extra": [
            {
                "@type": "type.googleapis.com/shop.Order",
                "id": "b",
                "stock": {"x": {"extra": [{"@type": "x/shop.Unknown", "value": "//8="}]}},
            },
            {"@type": "x.org/a/shop.Unknown", "value": "//4="},
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
            {},
        ],
    }
    decoded = found.decode()
    assert TYPES.to_dict(decoded) == found.to_dict()
    assert decoded.SerializeToString() == octets, "it is not changed by that"
    with pytest.raises(ProtocolError, match=r"shop\.Order"):
        one(with_extra(any_pb2.Any(type_url="x/shop.Order", value=b"\xff"))).to_dict()


def test_any_nested_deeply() -> None:
    """Any begins to count anew what protobuf allows of nesting."""
    octets = b""
    for _ in range(5000):
        octets = with_extra(any_pb2.Any(type_url="x/shop.Order", value=octets))
        if len(octets) > 200_000:
            break
    talk = Talk()
    talk.call()
    message = prefixed(octets)
    for at in range(0, len(message), 16000):
        talk.data(message[at : at + 16000])
    found = talk.found[0]
    found.decode()
    with pytest.raises(LimitExceeded, match="100 levels"):
        found.to_dict()


def test_nested_too_deeply() -> None:
    octets = b""
    for _ in range(3000):
        size = len(octets)
        length = bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        octets = b"\x1a" + bytes(length) + bytes([size]) + octets
    with pytest.raises(ProtocolError):
        one(octets).decode()


def test_values_without_json_in_a_mapping() -> None:
    made = TRUTH.Order()
    made.placed.seconds = 2**60
    found = one(made.SerializeToString())
    assert found.decode().placed.seconds == 2**60
    with pytest.raises(ProtocolError, match="without JSON"):
        found.to_dict()


def test_mapping_of_what_is_no_object() -> None:
    assert TYPES.to_dict(timestamp_pb2.Timestamp(seconds=1)) == {"value": "1970-01-01T00:00:01Z"}
    assert TYPES.to_dict(struct_pb2.Value(number_value=2)) == {"value": 2.0}
    assert TYPES.to_dict(empty_pb2.Empty()) == {}
    assert TYPES.to_dict(wrappers_pb2.StringValue(value="a")) == {"value": "a"}


# ------------------------------------------------------------------------------------------------------------- descriptors


def test_sets_as_octets_or_parsed_in_several_files() -> None:
    files = shop_set()
    parts = [descriptor_pb2.FileDescriptorSet(file=[file]) for file in files.file]
    for types in (
        GrpcTypes.from_descriptor_set(files),
        GrpcTypes.from_descriptor_set(files.SerializeToString(), files),
        GrpcTypes.from_descriptor_set(*parts),
    ):
        assert types.type_name("shop.Orders", "Place", False) == "shop.Order"
        assert types.type_name("shop.Orders", "Place", True) == "shop.Receipt"
        assert types.find_message("shop.Receipt") is not None
        assert types.find_message("shop.Nothing") is None
        assert types.find_method("shop.Orders", "Nothing") is types.find_method("shop.Order", "Place") is None


def test_sets_that_are_wrong() -> None:
    files = shop_set()
    with pytest.raises(ValueError, match=r"shop/order\.proto is imported and missing.*--include_imports"):
        GrpcTypes.from_descriptor_set(descriptor_pb2.FileDescriptorSet(file=files.file[:1]))
    with pytest.raises(ValueError, match="not a FileDescriptorSet"):
        GrpcTypes.from_descriptor_set(b"\xff\xff")
    circle = descriptor_pb2.FileDescriptorSet()
    circle.file.add(name="a.proto", dependency=["b.proto"])
    circle.file.add(name="b.proto", dependency=["a.proto"])
    with pytest.raises(ValueError, match="import each other"):
        GrpcTypes.from_descriptor_set(circle)
    twice = descriptor_pb2.FileDescriptorSet()
    for name in ("a.proto", "b.proto"):
        twice.file.add(name=name).message_type.add(name="Same")
    with pytest.raises(ValueError, match=r"\.proto: "):
        GrpcTypes.from_descriptor_set(twice)
    with pytest.raises(ValueError, match=r"google/protobuf/none\.proto"):
        GrpcTypes.from_descriptor_set(
            descriptor_pb2.FileDescriptorSet(
                file=[descriptor_pb2.FileDescriptorProto(name="a.proto", dependency=["google/protobuf/none.proto"])]
            )
        )
    with pytest.raises(TypeError, match="_pb2"):
        GrpcTypes.from_modules(sys)
    with pytest.raises(ValueError, match="decoded_size"):
        GrpcPayloads(TYPES, decoded_size=0)


@pytest.mark.parametrize(
    "name", ["", ".", "\0", "a\0b", "shop.Orders\0", "\udcff", "x" * 70_000, "shop.Orders.Place", "shop.Order"]
)
def test_names_that_no_type_has(name: str) -> None:
    assert TYPES.find_method(name, "Place") is None
    assert TYPES.find_method("shop.Orders", name) is None
    assert name == "shop.Order" or TYPES.find_message(name) is None


def test_several_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_pb2")
    monkeypatch.setattr(module, "DESCRIPTOR", TRUTH.pool.FindFileByName("shop/order.proto"), raising=False)
    types = GrpcTypes.from_modules(timestamp_pb2, module, module)
    assert types.find_message("shop.Order") is TRUTH.Order
    assert types.find_message("google.protobuf.Timestamp") is timestamp_pb2.Timestamp
    assert types.type_name("shop.Orders", "Place", False) == "shop.Order"


def test_without_protobuf() -> None:
    """Octets can be had, and an error names the extra."""
    script = """
import sys
sys.modules["google"] = None
from l7codecs_http2 import GrpcPayloads, GrpcTypes
GrpcPayloads()
for make in (lambda: GrpcTypes.from_descriptor_set(b""), GrpcTypes):
    try:
        make()
    except ImportError as error:
        assert "l7codecs[grpc]" in str(error), error
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# ------------------------------------------------------------------------------------------------- Triple, binary metadata


def test_wrappers_of_triple() -> None:
    """Octets after the declaration in Dubbo's documentation: strings and bytes, fields 1 to 3."""
    talk = Talk()
    talk.call(tri_service_version="1.0")
    talk.answer()
    (asked,) = talk.data(prefixed(b"\x0a\x08hessian2\x12\x02\x01N\x12\x01T\x1a\x10java.lang.String\x1a\x01Z"))
    (given,) = talk.data(prefixed(b"\x0a\x08hessian2\x12\x03\x02ok\x1a\x10java.lang.String"), 1, S)
    assert asked.request is not None and asked.request.protocol == given.head.protocol == "triple"
    wrapped = asked.decode_wrapper()
    assert (wrapped.serializeType, list(wrapped.args), list(wrapped.argTypes)) == (
        "hessian2", [b"\x01N", b"T"], ["java.lang.String", "Z"],
    )  # fmt: skip
    wrapped = given.decode_wrapper()
    assert (wrapped.serializeType, wrapped.data, wrapped.type) == ("hessian2", b"\x02ok", "java.lang.String")
    with pytest.raises(ProtocolError, match="TripleRequestWrapper"):
        one(b"\xff").decode_wrapper()
    # What is protobuf is decoded as any call.
    talk = Talk()
    talk.call(tri_service_version="1.0")
    (plain,) = talk.data(prefixed(TRUTH.Order(id="a").SerializeToString()))
    assert plain.to_dict() == {"id": "a"}


def trailers(*fields: tuple[str, bytes]) -> Message:
    talk = Talk()
    talk.call()
    talk.headers(
        S, 1, [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "3"), *fields], end=True
    )
    message = talk.events[-1]
    assert isinstance(message, Http2Message)
    return message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"AAEC"], [b"\0\1\2"]),
        ([b"/w=="], [b"\xff"]),
        ([b"/w"], [b"\xff"]),
        ([b"/w,AAEC , /w==,"], [b"\xff", b"\0\1\2", b"\xff", b""]),
        ([b"/w", b"AAEC"], [b"\xff", b"\0\1\2"]),
        ([b""], [b""]),
        ([b"\0raw,\xff"], [b"raw,\xff"]),
        ([], []),
    ],
)
def test_binary_metadata(values: list[bytes], expected: list[bytes]) -> None:
    assert binary_metadata(trailers(*[("x-data-bin", value) for value in values]), "x-data-bin") == expected


@pytest.mark.parametrize("value", [b"A", b"AAAAA", b"A-_A", b"A A=", b"=", b"\xff"])
def test_wrong_binary_metadata(value: bytes) -> None:
    message = trailers(("x-data-bin", value))
    if value == b"=":
        assert binary_metadata(message, "x-data-bin") == [b""]
        return
    with pytest.raises(ProtocolError, match="expected base64") as raised:
        binary_metadata(message, "x-data-bin")
    assert raised.value.offset == message.offset


def test_status_that_is_wrong() -> None:
    for value in (b"CP", b"/w", b"!"):
        with pytest.raises(L7Error):
            TYPES.status_details(trailers(("grpc-status-details-bin", value)))
    assert TYPES.status_details(trailers()) is None
    status = TYPES.status_details(trailers(("grpc-status-details-bin", b"CAMSAmhp")))
    assert status is not None and (status.code, status.message, status.details) == (3, "hi", ())


def test_a_row_says_all() -> None:
    assert "shop.Orders/Place" in str(row(one(b"abc"))[-1])
