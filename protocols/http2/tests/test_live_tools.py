"""What nghttp, h2load and curl print of their requests, seen from the wire; and tshark's reading of the same octets."""

from __future__ import annotations

import re

import pytest

from l7codecs import Kind, Sender, Status

from .conftest import Room
from .observing import headers_of
from .wire import Fields, fields_of

pytestmark = pytest.mark.interop


# --------------------------------------------------------------------------------------------------------------- nghttp

SENT = re.compile(r"send HEADERS frame <length=\d+, flags=0x\w+, stream_id=(\d+)>\n((?:(?:  +.*)\n)*)")
RECEIVED = re.compile(r"recv \(stream_id=(\d+)(?:, sensitive)?\) (:?[^:\n]+): (.*)")


def nghttp_says(printed: str) -> tuple[dict[int, Fields], dict[int, Fields]]:
    """For each stream the fields that ``nghttp -v`` sent, and those that it got."""
    sent: dict[int, Fields] = {}
    for stream, lines in SENT.findall(printed):
        pairs = re.findall(r"^ +(:?[a-z0-9-]+): (.*)$", lines, re.MULTILINE)
        sent[int(stream)] = sent.get(int(stream), []) + pairs
    got: dict[int, Fields] = {}
    for stream, name, value in RECEIVED.findall(printed):
        got.setdefault(int(stream), []).append((name, value))
    return sent, got


NGHTTP = [
    ([], ["HTTP/index.html?a=b"]),
    ([], ["-m", "20", "HTTP/index.html", "HTTP/style.css", "HTTP/missing"]),
    ([], ["-H", ":method: HEAD", "HTTP/index.html"]),
    ([], ["-H", "x-repeat: 1", "-H", "x-repeat: 2", "-H", "authorization: secret", "HTTP/index.html"]),
    (["-b", "50"], ["-b", "99", "-d", "style.css", "HTTP/index.html"]),
    (["--trailer", "x-sum: 42"], ["-d", "style.css", "--trailer", "x-end: here", "HTTP/index.html"]),
    (["--echo-upload"], ["-d", "large", "HTTP/echo"]),
    ([], ["--continuation", "HTTP/index.html"]),
    (["--echo-upload"], ["--expect-continue", "-d", "style.css", "HTTP/echo"]),
    (["-p/index.html=/style.css,/missing"], ["HTTP/index.html"]),
    (["-p/index.html=/style.css"], ["--no-push", "HTTP/index.html"]),
    (["-c", "0", "--encoder-header-table-size=0"], ["-c", "0", "-m", "5", "HTTP/index.html"]),
    (["-c", "100"], ["-c", "50", "-c", "20", "-m", "5", "HTTP/index.html", "HTTP/missing"]),
    (["-c", "65536", "--encoder-header-table-size=65536"], ["-c", "65536", "--encoder-header-table-size=65536", "-m5", "HTTP/index.html"]),
    (["-w", "7", "-W", "9"], ["-w", "7", "-W", "8", "HTTP/medium"]),
]  # fmt: skip


@pytest.mark.parametrize(("nghttpd", "options"), NGHTTP, indirect=["nghttpd"], ids=[" ".join(a + b) for a, b in NGHTTP])
def test_nghttp(nghttpd: Room, options: list[str]) -> None:
    sent, got = nghttp_says(nghttpd.run("nghttp", "-v", *options))
    heard = nghttpd.hear()
    heard.check()
    seen_sent: dict[int, Fields] = {}
    seen_got: dict[int, Fields] = {}
    for message in heard.messages:
        if "http2.frame_type" not in message.attributes:
            into = seen_sent if message.sender is Sender.CLIENT else seen_got
            stream = int(message.attributes["http2.stream_id"])
            if message.kind is Kind.PUSH:
                stream = int.from_bytes(message.raw[5:9], "big")  # where nghttp shows it
            into[stream] = into.get(stream, []) + fields_of(message)
    assert seen_sent == sent and sent
    assert seen_got == got and got


# -------------------------------------------------------------------------------------------------------- h2load and curl


def test_h2load(nghttpd: Room) -> None:
    printed = nghttpd.run("h2load", "-n", "2000", "-c", "2", "-m", "50", "HTTP/index.html", "HTTP/missing")
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", printed)
    traffic = re.search(r"traffic: .*?\((\d+)\) total, .*?\((\d+)\) headers .*?\((\d+)\) data", printed)
    assert statuses is not None and traffic is not None
    found = [heard for heard in nghttpd.hear_all() if heard.messages]
    calls = [call for heard in found for call in heard.calls]
    for heard in found:
        heard.check()
    assert len(calls) == 2000 and len(found) == 2
    codes = [str(call.code)[0] for call in calls]
    assert [codes.count(digit) for digit in "2345"] == [int(count) for count in statuses.groups()]
    total, _, data = map(int, traffic.groups())
    assert sum(len(heard.vector.octets(Sender.SERVER)) for heard in found) == total
    assert sum(len(call.body(Sender.SERVER)) for call in calls) == data


@pytest.mark.parametrize(
    ("options", "method", "path", "code"),
    [
        (["HTTP/index.html?q"], "GET", "/index.html?q", 200),
        (["-d", "a=b", "HTTP/index.html"], "POST", "/index.html", 200),
        (["HTTP/missing"], "GET", "/missing", 404),
        (["-I", "HTTP/large"], "HEAD", "/large", 200),
        (["HTTP/large"], "GET", "/large", 200),
    ],
)
def test_curl(nghttpd: Room, options: list[str], method: str, path: str, code: int) -> None:
    form = "%{http_version} %{http_code} %{size_download} %{size_upload}"
    printed = nghttpd.run("curl", "-s", "--http2-prior-knowledge", "-A", "an agent", "-o", "out", "-w", form, *options)
    heard = nghttpd.hear()
    heard.check()
    call = heard.call
    assert printed == f"2 {call.code} {len(call.body(Sender.SERVER))} {len(call.body(Sender.CLIENT))}"
    assert (call.method, call.path, call.code) == (method, path, code)
    assert call.request.attributes["user_agent.original"] == "an agent"
    assert call.status is (Status.OK if code == 200 else Status.NOT_FOUND)
    if method != "HEAD":
        assert (nghttpd.folder / "out").read_bytes() == call.body(Sender.SERVER)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_upgrade_by_curl(hypercorn: Room, method: str) -> None:
    """The request in HTTP/1.1 is stream 1; the next request is stream 3."""
    how = ["-I"] if method == "HEAD" else ["-X", method]
    printed = hypercorn.run(
        "curl", "-s", "-v", "--stderr", "-", "--http2", *how, "-H", "X-A: b", "HTTP/first?q=1", "HTTP/second"
    )
    heard = hypercorn.hear()
    heard.check()
    assert printed.count("< HTTP/2 200") + printed.count("HTTP/2 200") >= 2
    assert [(call.stream, call.method, call.path, call.code) for call in heard.calls] == [
        (1, method, "/first?q=1", 200), (3, method, "/second", 200),
    ]  # fmt: skip
    first, second = (call.request for call in heard.calls)
    assert dict(headers_of(first)) == dict(headers_of(second))
    assert first.service == second.service == hypercorn.relay.address
    assert first.attributes["url.scheme"] == "http"
    assert printed.count("> X-A: b") + printed.count("> x-a: b") == 2


def test_upgrade_by_nghttp(hypercorn: Room) -> None:
    hypercorn.run("nghttp", "-u", "HTTP/first", "HTTP/second")
    heard = hypercorn.hear()
    heard.check()
    assert [(call.path, call.code) for call in heard.calls] == [("/first", 200), ("/second", 200)]
