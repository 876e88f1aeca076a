"""Spans: what they say, whose children they are, and what goes on to servers; into the SDK's own memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import l7codecs
from l7codecs import Changes, Headers, Kind, Message, Sender, Status
from l7codecs.proxy.exchange import Exchange, Failure
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.proxy.telemetry.tracing import Tracing, parse_traceparent
from l7codecs.records import text_of
from l7codecs.testing import free_port, parse_vector

from .running import running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


class Traced:
    """A tracer, and the spans that it has exported."""

    def __init__(self, ratio: float = 1.0, sensitive: bool = False) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter, ratio, Mask((), sensitive), {"service.name": "shop"})

    def spans(self) -> tuple[ReadableSpan, ...]:
        self.tracing._provider.force_flush()
        return self.exporter.get_finished_spans()

    def trace(self, request: Any, **given: object) -> tuple[Any, ReadableSpan | None]:
        """What is to be set in one request, and its span."""
        exchange = Exchange("front", request, 100.0)
        exchange.status = Status.OK
        headers = self.tracing.begun(exchange)
        exchange.ended = 100.5
        for name, value in given.items():
            setattr(exchange, name, value)
        self.exporter.clear()
        self.tracing.ended(exchange)
        spans = self.spans()
        return headers, spans[0] if spans else None


@pytest.fixture
def traced() -> Iterator[Traced]:
    found = Traced()
    yield found
    found.tracing.close()


def request(text: bytes = b"SET k secret\r\n") -> Message:
    (found,) = l7codecs.open_session("redis").receive(Sender.CLIENT, text)
    assert isinstance(found, Message)
    return found


class Headed:
    """A message whose headers are these."""

    def __init__(self, *headers: tuple[str, str | bytes], **attributes: Any) -> None:
        inner = request()
        self.headers = Headers(headers)
        self.attributes = attributes or inner.attributes
        self.operation, self.protocol, self.start, self.stop = "SET", "redis", 0, 5


def exchange_of(message: Any, **given: object) -> Any:
    class Loose:
        listener, rule, cluster, host, attempts, request_octets, answer_octets = "front", None, "c", None, 1, 5, 5
        answer, status, error, failure, reason, started, ended = None, Status.OK, None, None, None, 100.0, 100.5

    found = Loose()
    found.request = message  # type: ignore[attr-defined]
    for name, value in given.items():
        setattr(found, name, value)
    return found


def test_a_span_says_what_was_asked_and_what_came_of_it(traced: Traced) -> None:
    headers, span = traced.trace(request(), cluster="cache", host="10.0.0.1:6379", attempts=2, answer_octets=5)
    assert span is not None
    assert span.name == "SET"
    assert span.kind is SpanKind.SERVER
    assert span.parent is None
    assert span.end_time is not None and span.start_time is not None
    assert span.end_time - span.start_time == pytest.approx(0.5e9, abs=1e6)
    flags = f"{int(span.context.trace_flags):02x}"
    assert headers == {"traceparent": f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{flags}"}
    found = dict(span.attributes or {})
    assert found["db.operation.name"] == "SET"
    assert found["l7codecs.cluster"] == "cache"
    assert found["l7codecs.host"] == "10.0.0.1:6379"
    assert found["l7codecs.attempts"] == 2
    assert "db.query.text" not in found
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "shop"


def test_what_is_asked_for_is_shown() -> None:
    traced = Traced(sensitive=True)
    _, span = traced.trace(request())
    assert span is not None and span.attributes is not None
    assert span.attributes["db.query.text"] == "SET k ?"
    traced.tracing.close()


def test_a_failure_is_an_error(traced: Traced) -> None:
    _, span = traced.trace(request(), status=Status.UNAVAILABLE, failure=Failure.CONNECT, error="no connection")
    assert span is not None and span.attributes is not None
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "no connection"
    assert span.attributes["l7codecs.failure"] == "connect"
    _, span = traced.trace(request(), status=Status.NOT_FOUND, error="NOTFOUND")
    assert span is not None and span.attributes is not None
    assert span.status.status_code is StatusCode.UNSET  # the client's fault
    assert span.attributes["error.type"] == "NOTFOUND"


def test_halves_of_characters_cost_nobody_a_batch(traced: Traced) -> None:
    """Protobuf takes none: the exporter would lose the spans of others with this one."""
    half, octets = "a\ud800", b"\xff\xc3\xa4"
    message = Headed(**{"rpc.method": half, "octets": octets, "some": (half, octets)})
    traced.tracing.ended(exchange_of(message, status=Status.INTERNAL, error=half))
    (span,) = traced.spans()
    assert span.attributes is not None
    assert (span.name, span.status.description, span.attributes["error.type"]) == ("a\\ud800",) * 3
    assert (span.attributes["octets"], span.attributes["some"]) == ("\\xff\u00e4", ("a\\ud800", "\\xff\u00e4"))
    encode_spans([span])


def test_a_request_belongs_where_it_says(traced: Traced) -> None:
    tracing = traced.tracing
    other = f"00-{TRACE}-{'1' * 16}-01"
    one = exchange_of(Headed(("traceparent", SAMPLED), ("tracestate", b"a=1"), ("traceparent", other.encode())))
    headers = tracing.begun(one)
    assert tracing.begun(one) == headers  # it is sent again, as the same
    tracing.ended(one)
    (span,) = traced.spans()
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.context.trace_state["a"] == "1"
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["1" * 16]
    assert headers == {"traceparent": f"00-{TRACE}-{span.context.span_id:016x}-01"}
    assert not tracing._spans


def test_who_is_not_sampled_is_left_alone() -> None:
    never = Traced(ratio=0.0)
    for message in (Headed(), Headed(("traceparent", SAMPLED[:-1] + "0"))):
        one = exchange_of(message)
        assert never.tracing.begun(one) is None
        never.tracing.ended(one)
    assert never.spans() == ()
    assert never.tracing.begun(exchange_of(Headed(("traceparent", SAMPLED)))) is not None
    some = Traced(ratio=0.2)
    begun = [exchange_of(Headed()) for _ in range(2000)]  # all stand at once: a span is kept by its exchange's identity
    count = sum(some.tracing.begun(one) is not None for one in begun)
    assert 300 < count < 500
    never.tracing.close()
    some.tracing.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        SAMPLED + "-00",
        "ff" + SAMPLED[2:],
        SAMPLED.replace(TRACE, "0" * 32),
        SAMPLED.replace(PARENT, "0" * 16),
        SAMPLED.upper(),
        SAMPLED.replace(TRACE, TRACE[:-1]),
        SAMPLED.replace("7", "\u0667"),
        "00-" + "_" * 32 + "-" + PARENT + "-01",
    ],
)
def test_what_is_no_traceparent(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parse_traceparent("01" + SAMPLED[2:] + "-more") is not None
    assert parse_traceparent(f" {SAMPLED} ") is not None


def test_names_are_few(traced: Traced) -> None:
    for attributes, name in (
        ({"rpc.method": "com.acme.Orders/place"}, "com.acme.Orders/place"),
        ({"messaging.destination.name": "orders"}, "SET orders"),
        ({"x": "y"}, "SET"),
    ):
        traced.exporter.clear()
        traced.tracing.ended(exchange_of(Headed(**attributes)))
        assert [span.name for span in traced.spans()] == [name]


def test_a_trace_goes_through_the_engine(servers: Any) -> None:
    """gRPC's metadata is changed on its way, a protocol that has no headers passes as it is; neither knows of the other."""
    seen: list[str | bytes | None] = []

    def echo(octets: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(dict(context.invocation_metadata()).get("traceparent"))
        return octets

    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    handler = grpc.method_handlers_generic_handler("shop.Orders", {"place": grpc.unary_unary_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    traced = Traced(ratio=0.0)
    text = f"""
listeners:
  main: {{ address: "127.0.0.1:0", protocol: http2, cluster: back }}
  store: {{ address: "127.0.0.1:0", protocol: redis, cluster: cache }}
clusters:
  back: {{ hosts: ["127.0.0.1:{port}"] }}
  cache: {{ hosts: ["{servers.hosts[0]}"] }}
"""
    try:
        with running(text, [traced.tracing]) as here:
            import redis

            with redis.Redis(port=here.port("store"), protocol=2) as client:
                assert client.set("k", "v")
            with grpc.insecure_channel(f"127.0.0.1:{here.port()}") as channel:
                call = channel.unary_unary("/shop.Orders/place")
                assert call(b"1", metadata=[("traceparent", SAMPLED)], timeout=10) == b"1"
                assert call(b"2", timeout=10) == b"2"
        (span,) = traced.spans()
    finally:
        server.stop(None)
        traced.tracing.close()
    assert seen == [f"00-{TRACE}-{span.context.span_id:016x}-01", None]
    assert span.name == "shop.Orders/place"
    assert span.parent is not None and f"{span.parent.span_id:016x}" == PARENT
    assert span.attributes is not None and span.attributes["rpc.method"] == "shop.Orders/place"


VECTORS = {
    "dubbo": "protocols/dubbo/vectors/2.7-2.7-attachments.txt",
    "thrift": "protocols/thrift/vectors/apache-python-header-binary.txt",
}


@pytest.mark.parametrize("protocol", VECTORS)
def test_headers_of_any_protocol_carry_a_trace(protocol: str, traced: Traced) -> None:
    """A recorded request is sent on with a ``traceparent``, as the engine does, and whoever reads it there belongs to that."""
    path = Path(__file__).resolve().parents[2] / VECTORS[protocol]
    vector = parse_vector(path.stem, path.read_text("utf-8"))
    client = l7codecs.get_protocol(protocol).open(endpoint=Sender.SERVER)
    server = l7codecs.get_protocol(protocol).open(endpoint=Sender.CLIENT)
    observer = l7codecs.get_protocol(protocol).open()
    exchanges = []
    for message in client.receive(Sender.CLIENT, vector.octets(Sender.CLIENT)):
        if isinstance(message, Message) and message.kind is Kind.REQUEST:
            headers = traced.tracing.begun(exchange := Exchange("front", message, 100.0))
            exchanges.append(exchange)
            server.put(message, Changes(set_headers=headers))
    sent = [each for each in observer.receive(Sender.CLIENT, server.pending_output()) if isinstance(each, Message)]
    assert sent
    for message in sent:
        behind = Traced(ratio=0.0)
        _, span = behind.trace(message)
        assert span is not None and span.parent is not None
        assert text_of(message.headers["traceparent"]).split("-")[2] == f"{span.parent.span_id:016x}"
        behind.tracing.close()


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_carry_traces(compression: str) -> None:
    """A real producer's batch belongs to the trace of its first record, and is linked to the others; records pass as they are."""
    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = owner.list_topics(timeout=20).brokers.values()
    port = free_port()
    at = f'address: "127.0.0.1:{port}"'
    text = f"""
listeners: {{ main: {{ {at}, protocol: kafka, cluster: c, nodes: [{{ id: 1, as: 101, {at} }}] }} }}
clusters: {{ c: {{ hosts: ["{broker.host}:{broker.port}"] }} }}
"""
    traced = Traced(ratio=0.0)
    sent = [f"00-{TRACE}-{number:016x}-01" for number in range(1, 5)]
    with running(text, [traced.tracing]):
        client = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
        producer = Producer({**client, "compression.type": compression, "linger.ms": 200})
        producer.list_topics("orders", 20)
        for value in sent:
            producer.produce("orders", b"x" * 1000, headers={"traceparent": value.encode()}, partition=0)
        assert producer.flush(20) == 0
        spans = [span for span in traced.spans() if span.name.startswith("Produce")]
        consumer = Consumer({**client, "group.id": "g", "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition("orders", 0, 0)])
        got = [message.headers() for message in consumer.consume(4, 20)]
        consumer.close()
    traced.tracing.close()
    owner.flush(5)
    (span,) = spans
    assert span.name == "Produce orders"
    assert span.parent is not None and f"{span.parent.span_id:016x}" == sent[0].split("-")[2]
    assert [f"{link.context.span_id:016x}" for link in span.links] == [value.split("-")[2] for value in sent[1:]]
    assert got == [[("traceparent", value.encode())] for value in sent]
