"""What grpcio's client and server said in protobuf, decoded from the wire."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from l7codecs_http2 import GrpcPayload, GrpcPayloads, GrpcTypes

from l7codecs import Kind, LimitExceeded, Limits, Sender, Status
from l7codecs.testing import Relay, Vector

from .observing import Conversation, observe
from .shop import TRUTH, ShopRoom, of, order, read, row, shop_set

C, S = Sender.CLIENT, Sender.SERVER
LARGE = Limits(message=64 * 1024 * 1024)


@pytest.fixture
def types() -> GrpcTypes:
    return GrpcTypes.from_descriptor_set(shop_set().SerializeToString())


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[ShopRoom]:
    room = ShopRoom(getattr(request, "param", grpc.Compression.NoCompression))
    yield room
    room.close()


def check(found: list[GrpcPayload], said: list[Message]) -> None:
    """What is decoded is what a peer had."""
    assert len(found) == len(said)
    for payload, message in zip(found, said, strict=True):
        decoded = payload.decode()
        assert decoded.DESCRIPTOR.full_name == message.DESCRIPTOR.full_name == payload.type_name
        assert decoded.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)
        assert payload.to_dict() == TRUTH.to_dict(message)
        assert payload.error is None


def check_cuts(heard: Conversation, types: GrpcTypes, expected: list[GrpcPayload], limits: Limits = LARGE) -> None:
    """Other cuts of the recording give the same payloads."""
    for vector in heard.vector.recut():
        calls = GrpcPayloads(types, limits=limits)
        found = read(calls, observe(vector).events)
        assert sorted(map(row, found), key=repr) == sorted(map(row, expected), key=repr), vector.name
        assert calls.pending == 0


def check_every_split(vector: Vector, sender: Sender, types: GrpcTypes, expected: list[GrpcPayload]) -> None:
    """One direction cut in two, at every octet."""
    wanted = [row(payload) for payload in expected if payload.sender is sender]
    start = 0
    for who, octets in vector.pieces:
        for at in range(start + 1, start + len(octets)) if who is sender else ():
            found = read(GrpcPayloads(types, limits=LARGE), observe(vector.split(at)).events)
            assert [row(payload) for payload in found if payload.sender is sender] == wanted
        start += len(octets)


def hear(shop: ShopRoom, types: GrpcTypes) -> list[GrpcPayload]:
    heard = shop.hear()
    calls = GrpcPayloads(types, limits=LARGE)
    found = read(calls, heard.events)
    assert calls.pending == 0
    check_cuts(heard, types, found)
    return found


def test_every_split(shop: ShopRoom, types: GrpcTypes) -> None:
    """Either direction cut in two at every octet, and octet by octet."""
    shop.call("Place")(order(1))
    heard = shop.hear()
    found = read(GrpcPayloads(types, limits=LARGE), heard.events)
    assert len(found) == 2
    for sender in Sender:
        check_every_split(heard.vector, sender, types, found)


def test_unary(shop: ShopRoom, types: GrpcTypes) -> None:
    receipts = [shop.call("Place")(order(number)) for number in range(3)]
    found = hear(shop, types)
    check(of(found, C), shop.requests)
    check(of(found, S), receipts)
    assert [(payload.request.operation, payload.index, payload.compressed) for payload in found] == [
        ("Place", 0, False)
    ] * 6


@pytest.mark.parametrize("shop", list(grpc.Compression), indirect=True, ids=lambda compression: compression.name)
@pytest.mark.parametrize("name", ["Watch", "Collect", "Talk"])
def test_streams(shop: ShopRoom, types: GrpcTypes, name: str) -> None:
    """Each kind of stream under each compression that grpcio has."""
    said = [order(number, 3000) for number in range(5)]
    called = shop.call(name)(said[0]) if name == "Watch" else shop.call(name)(iter(said))
    receipts = [called] if name == "Collect" else list(called)
    found = hear(shop, types)
    check(of(found, C), shop.requests)
    check(of(found, C), said[: len(shop.requests)])
    check(of(found, S), receipts)
    check(of(found, S), shop.receipts)
    assert [payload.index for payload in of(found, S)] == list(range(len(receipts)))
    encodings = {payload.encoding for payload in found if payload.compressed}
    used = {payload.head.headers.get("grpc-encoding") for payload in found} - {None, b"identity"}
    assert encodings == {name.decode() for name in used}


@pytest.mark.parametrize(
    "shop", [grpc.Compression.Gzip, grpc.Compression.Deflate], indirect=True, ids=["gzip", "deflate"]
)
def test_compressed(shop: ShopRoom, types: GrpcTypes) -> None:
    receipt = shop.call("Place")(order(size=500_000))
    found = hear(shop, types)
    check(of(found, C), shop.requests)
    check(of(found, S), [receipt])
    for payload in found:
        assert payload.compressed and payload.size is not None and payload.size < 50_000
        assert len(payload.content()) > 500_000


@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_large(shop: ShopRoom, types: GrpcTypes, size: int) -> None:
    """Over many frames."""
    receipts = list(shop.call("Talk")(iter([order(1, size), order(2), order(3, size)])))
    found = hear(shop, types)
    check(of(found, C), shop.requests)
    check(of(found, S), receipts)


def test_past_the_limit(shop: ShopRoom, types: GrpcTypes) -> None:
    """A message beyond the limit is told without its octets; those around it are not affected."""
    limits = Limits(message=100_000)
    receipts = list(shop.call("Talk")(iter([order(1), order(2, 300_000), order(3)])))
    heard = shop.hear()
    found = read(GrpcPayloads(types, limits=limits), heard.events)
    check_cuts(heard, types, found, limits)
    for sender, said in ((C, shop.requests), (S, receipts)):
        first, large, last = of(found, sender)
        check([first, last], [said[0], said[2]])
        assert large.octets is None and large.size == said[1].ByteSize() and large.index == 1
        with pytest.raises(LimitExceeded, match=r"limits\.message"):
            large.decode()


@pytest.mark.parametrize("count", [0, 2])
def test_error_details(shop: ShopRoom, types: GrpcTypes, count: int) -> None:
    """google.rpc.Status in trailers, and in a response that is all trailers."""
    call = shop.call("Fail")(TRUTH.Order(id="k", total_cents=count))
    with pytest.raises(grpc.RpcError):
        list(call)
    expected = rpc_status.from_call(call)
    assert expected is not None
    heard = shop.hear()
    assert len(read(GrpcPayloads(types), heard.events)) == 1 + count
    last = heard.call.last
    assert last.kind is (Kind.TRAILERS if count else Kind.RESPONSE)
    status = types.status_details(last)
    assert status is not None
    assert (status.code, status.message) == (expected.code, expected.message) == (9, "no ключ left: 100%")
    assert last.status is Status.FAILED_PRECONDITION
    info = error_details_pb2.ErrorInfo()
    assert expected.details[0].Unpack(info)
    assert status.details[0] == info
    assert types.to_dict(status.details[1]) == {"id": "instead"}
    for known, raw in zip(status.details[2:], list(expected.details)[2:], strict=True):
        assert (known.type_url, known.value) == (raw.type_url, raw.value)
    assert types.status_details(heard.call.request) is None


def test_error_details_without_their_package(shop: ShopRoom, types: GrpcTypes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(grpc.RpcError):
        list(shop.call("Fail")(TRUTH.Order(id="k")))
    status_header = shop.hear().call.last
    monkeypatch.setitem(sys.modules, "google.rpc.error_details_pb2", None)
    status = types.status_details(status_header)
    assert status is not None
    assert status.details[0].DESCRIPTOR.full_name == "google.protobuf.Any"
    assert types.to_dict(status.details[1]) == {"id": "instead"}


def test_cancelled(shop: ShopRoom, types: GrpcTypes) -> None:
    """RST_STREAM: nothing of the call is kept."""
    call = shop.call("Talk")(iter([order(1)] * 3))
    next(call)
    call.cancel()
    heard = shop.hear()
    calls = GrpcPayloads(types)
    found = read(calls, heard.events)
    assert calls.pending == 0
    check(of(found, C)[:1], shop.requests[:1])


# ------------------------------------------------------------------------------------------- generated modules, reflection


@pytest.fixture
def health_room() -> Iterator[tuple[grpc.Channel, Relay, health.HealthServicer]]:
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection(["grpc.health.v1.Health", reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    relay = Relay(("127.0.0.1", port))
    channel = grpc.insecure_channel(relay.address, [("grpc.enable_http_proxy", 0)])
    yield channel, relay, servicer
    channel.close()
    server.stop(0).wait()
    relay.close()


def test_generated_modules_and_reflection(
    health_room: tuple[grpc.Channel, Relay, health.HealthServicer],
) -> None:
    channel, relay, servicer = health_room
    stub = health_pb2_grpc.HealthStub(channel)
    servicer.set("shop", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert (
        stub.Check(health_pb2.HealthCheckRequest(service="shop")).status == health_pb2.HealthCheckResponse.NOT_SERVING
    )
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="shop"))
    next(watch)
    servicer.set("shop", health_pb2.HealthCheckResponse.SERVING)
    next(watch)
    watch.cancel()

    # The descriptors as the server itself gives them.
    database = ProtoReflectionDescriptorDatabase(channel)
    reflected = GrpcTypes(descriptor_pool.DescriptorPool(database))
    assert reflected.type_name("grpc.health.v1.Health", "Check", True) == "grpc.health.v1.HealthCheckResponse"
    files = descriptor_pb2.FileDescriptorSet(file=[database.FindFileContainingSymbol("grpc.health.v1.Health")])
    channel.close()
    (recording,) = relay.wait_closed()
    heard = Conversation.of(recording)

    generated = GrpcTypes.from_modules(health_pb2, reflection_pb2)
    found = read(GrpcPayloads(generated), heard.events)
    checks = [payload for payload in found if payload.request.service == "grpc.health.v1.Health"]
    said = [
        ("Check", C, health_pb2.HealthCheckRequest(service="shop")),
        ("Check", S, health_pb2.HealthCheckResponse(status=2)),
        ("Watch", C, health_pb2.HealthCheckRequest(service="shop")),
        ("Watch", S, health_pb2.HealthCheckResponse(status=2)),
        ("Watch", S, health_pb2.HealthCheckResponse(status=1)),
    ]
    # Compared as messages: those of a generated module are instances of its classes.
    assert [(payload.request.operation, payload.sender, payload.decode()) for payload in checks] == said
    other = GrpcTypes.from_descriptor_set(files)
    for types in (reflected, other):
        calls = GrpcPayloads(types)
        again = [p for p in read(calls, heard.events) if p.request.service == "grpc.health.v1.Health"]
        assert [payload.to_dict() for payload in again] == [payload.to_dict() for payload in checks]
    assert checks[-1].to_dict() == {"status": "SERVING"}

    # The reflection service spoke over the same connection.
    asked = [p.decode() for p in found if p.request.service == reflection.SERVICE_NAME and p.sender is C]
    assert "grpc.health.v1.Health" in [each.file_containing_symbol for each in asked]
    answers = [p.decode() for p in found if p.request.service == reflection.SERVICE_NAME and p.sender is S]
    octets = [one for each in answers for one in each.file_descriptor_response.file_descriptor_proto]
    assert files.file[0] in [descriptor_pb2.FileDescriptorProto.FromString(one) for one in octets]


def test_nothing_is_imported_before_it_is_needed() -> None:
    import subprocess

    script = "import sys, l7codecs_http2\nassert not [name for name in sys.modules if name.startswith('google')]"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert importlib.import_module("google.protobuf")
