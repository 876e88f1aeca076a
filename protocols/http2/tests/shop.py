"""A service of a shop, as descriptors made in code, and what grpcio's peers say to each other in it.

``TRUTH`` has the classes that the peers use: of a pool of their own, so that nothing is shared with the types under test.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from l7codecs_http2 import GrpcPayload, GrpcPayloads

from l7codecs import Event, Sender
from l7codecs.testing import Relay

from .observing import Conversation

DOUBLE, INT64, INT32, TEXT, MESSAGE, OCTETS, ENUM = 1, 3, 5, 9, 11, 12, 14
METHODS = {
    "Place": (False, False),
    "Watch": (False, True),
    "Collect": (True, False),
    "Talk": (True, True),
    "Fail": (False, True),
}


def _field(
    message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: int, of: str = "", many: bool = False
) -> None:
    message.field.add(name=name, number=number, type=kind, type_name=of or None, label=3 if many else 1)


def shop_set() -> descriptor_pb2.FileDescriptorSet:
    """What protoc would write for shop/order.proto and shop/orders.proto: without their imports of google/protobuf."""
    files = descriptor_pb2.FileDescriptorSet()
    orders = files.file.add(name="shop/orders.proto", package="shop", syntax="proto3", dependency=["shop/order.proto"])
    service = orders.service.add(name="Orders")
    for name, (client, server) in METHODS.items():
        service.method.add(
            name=name,
            input_type=".shop.Order",
            output_type=".shop.Receipt",
            client_streaming=client,
            server_streaming=server,
        )
    file = files.file.add(name="shop/order.proto", package="shop", syntax="proto3")
    file.dependency.extend(["google/protobuf/any.proto", "google/protobuf/timestamp.proto"])
    state = file.enum_type.add(name="State")
    for number, name in enumerate(["NEW", "PAID", "SENT"]):
        state.value.add(name=name, number=number)
    order = file.message_type.add(name="Order")
    _field(order, 1, "id", TEXT)
    _field(order, 2, "total_cents", INT64)
    _field(order, 3, "parts", MESSAGE, ".shop.Order", many=True)
    _field(order, 4, "stock", MESSAGE, ".shop.Order.StockEntry", many=True)
    entry = order.nested_type.add(name="StockEntry")
    entry.options.map_entry = True
    _field(entry, 1, "key", TEXT)
    _field(entry, 2, "value", MESSAGE, ".shop.Order")
    _field(order, 5, "blob", OCTETS)
    _field(order, 6, "placed", MESSAGE, ".google.protobuf.Timestamp")
    _field(order, 7, "extra", MESSAGE, ".google.protobuf.Any", many=True)
    _field(order, 8, "state", ENUM, ".shop.State")
    _field(order, 9, "weight", DOUBLE)
    receipt = file.message_type.add(name="Receipt")
    _field(receipt, 1, "order", MESSAGE, ".shop.Order")
    _field(receipt, 2, "number", INT32)
    return files


class _Classes:
    """The peers' classes."""

    def __init__(self) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        for each in (any_pb2, timestamp_pb2):
            self.pool.AddSerializedFile(each.DESCRIPTOR.serialized_pb)
        for file in reversed(shop_set().file):
            self.pool.AddSerializedFile(file.SerializeToString())
        self.Order = message_factory.GetMessageClass(self.pool.FindMessageTypeByName("shop.Order"))
        self.Receipt = message_factory.GetMessageClass(self.pool.FindMessageTypeByName("shop.Receipt"))

    def to_dict(self, message: Message) -> dict[str, object]:
        return json_format.MessageToDict(message, descriptor_pool=self.pool)


TRUTH = _Classes()


def order(number: int = 1, size: int = 10) -> Message:
    """An order that uses every kind of field."""
    made = TRUTH.Order(
        id=f"ключ-{number}", total_cents=2**60 + number, blob=bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    )
    made.parts.add(id="part", state=2, weight=0.1)
    made.stock["here"].total_cents = -number
    made.placed.FromJsonString("2024-02-29T12:00:00.5Z")
    made.extra.add().Pack(TRUTH.Order(id="packed"))
    made.state = 1
    return made


class ShopRoom:
    """A server of the shop, a relay in front of it, a channel through that; what either peer received and sent is noted."""

    def __init__(self, compression: grpc.Compression = grpc.Compression.NoCompression) -> None:
        self.requests: list[Message] = []
        self.receipts: list[Message] = []
        self._server = grpc.server(ThreadPoolExecutor(4), compression=compression, options=[("grpc.so_reuseport", 0)])
        handlers = {name: self._handler(name) for name in METHODS}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Orders", handlers),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.relay = Relay(("127.0.0.1", port))
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(self.relay.address, options, compression=compression)

    def _handler(self, name: str) -> grpc.RpcMethodHandler:
        client, server = METHODS[name]
        make = getattr(grpc, f"{'stream' if client else 'unary'}_{'stream' if server else 'unary'}_rpc_method_handler")

        def behave(requests, context: grpc.ServicerContext):
            answers = getattr(self, f"do_{name.lower()}")(
                self._noted(requests if client else iter([requests])), context
            )
            return self._sent(answers) if server else next(self._sent(answers))

        return make(behave, TRUTH.Order.FromString, TRUTH.Receipt.SerializeToString)

    def _noted(self, requests: Iterator[Message]) -> Iterator[Message]:
        for request in requests:
            self.requests.append(request)
            yield request

    def _sent(self, answers: Iterator[Message]) -> Iterator[Message]:
        for answer in answers:
            self.receipts.append(answer)
            yield answer

    @staticmethod
    def do_place(requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        for request in requests:
            yield TRUTH.Receipt(order=request, number=7)

    @staticmethod
    def do_watch(requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        request = next(requests)
        for number in range(20):
            yield TRUTH.Receipt(order=request, number=number)

    @staticmethod
    def do_collect(requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        yield TRUTH.Receipt(number=len(list(requests)))

    do_talk = do_place

    @staticmethod
    def do_fail(requests: Iterator[Message], context: grpc.ServicerContext) -> Iterator[Message]:
        """As many receipts as the total says, and then an error with details."""
        request = next(requests)
        for number in range(request.total_cents):
            yield TRUTH.Receipt(number=number)
        status = status_pb2.Status(code=9, message="no ключ left: 100%")
        status.details.add().Pack(
            error_details_pb2.ErrorInfo(reason="SOLD_OUT", domain="shop", metadata={"id": request.id})
        )
        status.details.add().Pack(TRUTH.Order(id="instead"))
        status.details.add(type_url="type.googleapis.com/shop.Unknown", value=b"\xff\xff")
        status.details.add(type_url="type.googleapis.com/shop.Order", value=b"\xff\xff")
        context.abort_with_status(rpc_status.to_status(status))

    def call(self, name: str):
        client, server = METHODS[name]
        make = getattr(self.channel, f"{'stream' if client else 'unary'}_{'stream' if server else 'unary'}")
        return make(f"/shop.Orders/{name}", TRUTH.Order.SerializeToString, TRUTH.Receipt.FromString)

    def hear(self) -> Conversation:
        self.channel.close()
        (recording,) = self.relay.wait_closed()
        return Conversation.of(recording)

    def close(self) -> None:
        self.channel.close()
        self._server.stop(0).wait()
        self.relay.close()


def read(payloads: GrpcPayloads, events: list[Event]) -> list[GrpcPayload]:
    """All payloads of these events."""
    return [payload for event in events for payload in payloads.receive(event)]


def of(payloads: list[GrpcPayload], sender: Sender) -> list[GrpcPayload]:
    return [payload for payload in payloads if payload.sender is sender]


def row(payload: GrpcPayload) -> tuple[object, ...]:
    """What no cut may change."""
    return (
        payload.sender, payload.stream_id, payload.request and payload.request.offset, payload.head.offset, payload.index, payload.offset,
        payload.flag, payload.size, payload.octets, str(payload.error), payload.encoding, payload.type_name, repr(payload),
    )  # fmt: skip


def base64_of(octets: bytes) -> bytes:
    return base64.b64encode(octets).rstrip(b"=")
