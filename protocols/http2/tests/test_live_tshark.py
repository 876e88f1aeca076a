"""tshark's reading of the same octets: every header block of every stream, octet for octet, whoever the peers are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import httpx
import pytest

from l7codecs import Kind, Sender

from .conftest import GrpcRoom, Room, TripleRoom
from .observing import Conversation
from .test_live_tools import NGHTTP
from .test_live_triple import CALLS, METADATA
from .wire import blocks_of, check_tshark, shown, tshark_blocks, tshark_reads

pytestmark = pytest.mark.interop


@pytest.mark.parametrize(("nghttpd", "options"), NGHTTP, indirect=["nghttpd"], ids=[" ".join(a + b) for a, b in NGHTTP])
def test_tshark_on_nghttp(nghttpd: Room, options: list[str], tmp_path: Path) -> None:
    # tshark 4.0 cannot read requests behind the client's ACK of a smaller table ("unexpected decompression state"). They
    # are before it, unless the server's SETTINGS are there before the client comes to write: on a machine under load.
    nghttpd.relay.client_first = True
    nghttpd.run("nghttp", *options)
    assert check_tshark(nghttpd.hear(), tmp_path) >= 2


def test_tshark_on_h2load(nghttpd: Room, tmp_path: Path) -> None:
    """Many streams at once: their frames come one inside the other, and reads cut them anywhere."""
    nghttpd.relay.client_first = True
    nghttpd.run("h2load", "-n", "600", "-c", "1", "-m", "50", "HTTP/index.html?q", "HTTP/missing", "HTTP/medium")
    [heard] = [each for each in nghttpd.hear_all() if each.messages]
    assert check_tshark(heard, tmp_path) == 1200
    assert {(call.method, call.path, call.code) for call in heard.calls} == {
        ("GET", "/index.html?q", 200),
        ("GET", "/missing", 404),
        ("GET", "/medium", 200),
    }


def test_tshark_on_grpcio(grpc_room: GrpcRoom, tmp_path: Path) -> None:
    for number in range(5):
        assert (
            grpc_room.channel.unary_unary("/pack.Test/Collect")(b"x" * number, metadata=[("x-number", str(number))])
            == b"x" * number
        )
    list(grpc_room.call("Many")(iter([b"20,1000"])))
    heard = grpc_room.hear()
    assert check_tshark(heard, tmp_path) == 18
    assert [call.request.kind for call in heard.calls] == [Kind.REQUEST] * 6


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\xff\r\n ", b"\xff" * 3, b"text", bytes(range(256)) * 4])
def test_tshark_on_binary_metadata(grpc_room: GrpcRoom, tmp_path: Path, value: bytes) -> None:
    call = grpc_room.call("Echo")(iter([b"x"]), metadata=(("x-data-bin", value), ("x-data-bin", b"again"), ("x", "y")))
    assert list(call) == [b"x"]
    assert check_tshark(grpc_room.hear(), tmp_path) == 3


def test_tshark_on_errors_of_grpcio(grpc_room: GrpcRoom, tmp_path: Path) -> None:
    for request, details in ((b"0,5,no such", "no such"), (b"2,8,\xd0\xba 100%", "к 100%")):
        with pytest.raises(grpc.RpcError) as failed:
            list(grpc_room.call("Fail")(iter([request])))
        assert failed.value.details() == details
    assert check_tshark(grpc_room.hear(), tmp_path) == 5


def test_tshark_on_httpx_and_hypercorn(hypercorn: Room, tmp_path: Path) -> None:
    async def talk() -> None:
        async with httpx.AsyncClient(http1=False, http2=True, trust_env=False, base_url=hypercorn.url) as client:
            await client.head("/head", headers=[("x-repeat", "1"), ("x-repeat", "2"), ("cookie", "a=b; c=d")])
            await client.post("/post?a=1&b=%20c", json={"key": "value"}, headers={"authorization": "Bearer secret"})
            await asyncio.gather(
                *(client.post(f"/n?{n}", headers={"x-n": str(n)}, content=b"n" * n) for n in range(40))
            )

    asyncio.run(talk())
    assert check_tshark(hypercorn.hear(), tmp_path) == 84


@pytest.mark.parametrize("nghttpd", [["--trailer", "x-sum: 42"]], ids=["trailer"], indirect=True)
def test_tshark_on_httpx_and_nghttpd(nghttpd: Room, tmp_path: Path) -> None:
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=nghttpd.url) as client:
        assert [client.get(path).status_code for path in ("/index.html?a=b", "/missing", "/large")] == [200, 404, 200]
        assert client.head("/medium").status_code == 200
    assert check_tshark(nghttpd.hear(), tmp_path) == 11


def test_tshark_on_curl(hypercorn: Room, tmp_path: Path) -> None:
    hypercorn.run("curl", "-s", "--http2-prior-knowledge", "-H", "X-A: b", "-d", "a=b", "HTTP/first?q=1")
    assert check_tshark(hypercorn.hear(), tmp_path) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["curl", "-s", "--http2", "-H", "X-A: b"],
        ["curl", "-s", "--http2", "-I"],
        ["nghttp", "-u", "-H", "x-a: b"],
    ],
    ids=" ".join,
)
def test_tshark_on_an_upgrade(hypercorn: Room, words: list[str], tmp_path: Path) -> None:
    """The first request is one of HTTP/1.1 to tshark, and stream 1 to us; its response and all else is HTTP/2 to both."""
    hypercorn.run(*words, "HTTP/first?q=1", "HTTP/second")
    heard = hypercorn.hear()
    read = tshark_reads(heard.vector, tmp_path / "capture.pcap", "http")
    seen = blocks_of(heard)
    assert tshark_blocks(read) == seen[1:] and len(seen) == 4
    stream, fields = seen[0]
    request = dict(fields)
    assert stream == 1
    assert request[":method"].decode() == shown("http.request.method", read) == ("HEAD" if "-I" in words else "GET")
    assert request[":path"].decode() == shown("http.request.uri", read) == "/first?q=1"
    assert request[":authority"].decode() == shown("http.host", read) == hypercorn.relay.address
    assert request["user-agent"].decode() == shown("http.user_agent", read)


@pytest.mark.parametrize("metadata", [None, METADATA], ids=["plain", "metadata"])
def test_tshark_on_triple(triple_room: TripleRoom, metadata: dict[str, object] | None, tmp_path: Path) -> None:
    triple_room.talk(*(CALLS if metadata is None else [{**call, "metadata": metadata} for call in CALLS]))
    assert check_tshark(triple_room.hear(), tmp_path) == 7 * 3 - 2


def test_tshark_counts_what_we_count(grpc_room: GrpcRoom, tmp_path: Path) -> None:
    """The octets of DATA, stream by stream."""
    for size in (0, 1, 20_000, 200_000):
        list(grpc_room.call("Echo")(iter([b"x" * size] * 2)))
    heard: Conversation = grpc_room.hear()
    octets: dict[int, int] = {}
    for frame in tshark_reads(heard.vector, tmp_path / "capture.pcap").iter("field"):
        if frame.get("name") == "http2.stream" and shown("http2.type", frame) == "0":
            stream = int(shown("http2.streamid", frame), 0)
            octets[stream] = octets.get(stream, 0) + int(shown("http2.length", frame))
    assert octets == {call.stream: sum(len(call.body(sender)) for sender in Sender) for call in heard.calls}
