"""The command as a user runs it: a process of its own, over files made here."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from l7codecs import Sender
from l7codecs.capture import CaptureWriter
from l7codecs.cli.table import printable

C, S = Sender.CLIENT, Sender.SERVER
KEYS = [
    "time", "flow", "protocol", "sender", "kind", "offset", "size", "more", "request_id", "stream_id", "request_offset", "service",
    "operation", "resources", "status", "error", "headers", "attributes",
]  # fmt: skip
DEMO = Path(__file__).resolve().parent.parent / "examples" / "captures" / "redis.pcap"


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "l7codecs", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def records(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def capture(path: Path, *pieces: tuple[Sender, bytes], port: int = 6379, close: bool = True) -> Path:
    """A capture of one connection."""
    writer = CaptureWriter(path)
    connection = writer.open_connection(1_700_000_000_000_000_000, ("192.0.2.1", 40000), ("192.0.2.2", port))
    for number, (sender, octets) in enumerate(pieces, 1):
        connection.send(1_700_000_000_000_000_000 + number * 1_000_000, sender, octets)
    if close:
        connection.close(1_700_000_001_000_000_000)
    writer.close()
    return path


@pytest.fixture
def redis(tmp_path: Path) -> Path:
    return capture(
        tmp_path / "redis.pcap",
        (C, b"*3\r\n$3\r\nSET\r\n$4\r\nk\xff\n1\r\n$5\r\nhello\r\n"),
        (S, b"+OK\r\n"),
        (C, b"*2\r\n$4\r\nLLEN\r\n$4\r\nk\xff\n1\r\n"),
        (S, b"-WRONGTYPE Operation against a key\r\n"),
    )


def test_decode_jsonl(redis: Path) -> None:
    done = run("decode", "--format", "jsonl", redis)
    assert (done.returncode, done.stderr) == (0, b"")
    found = records(done.stdout)
    assert [list(record) for record in found] == [KEYS] * 4
    request, _, _, failure = found
    assert request["flow"] == "192.0.2.1:40000>192.0.2.2:6379"
    assert request["time"] == pytest.approx(1_700_000_000.001)
    assert (request["protocol"], request["sender"], request["kind"]) == ("redis", "client", "request")
    assert (request["operation"], request["resources"]) == ("SET", ["k\\xff\n1"])
    assert (request["offset"], request["size"], request["more"]) == (0, 34, False)
    attributes = request["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["redis.keys"] == ["k\\xff\n1"]
    assert attributes["server.port"] == 6379
    assert (failure["kind"], failure["status"], failure["error"]) == ("response", "FAILED_PRECONDITION", "WRONGTYPE")
    assert failure["request_offset"] == 34


def test_decode_table_is_safe_to_print(redis: Path) -> None:
    done = run("decode", redis)
    text = done.stdout.decode()
    assert len(text.splitlines()) == 5
    assert "k\\xff\\n1" in text
    assert "WRONGTYPE" in text
    assert printable("a\x1b[31mb\u202e") == "a\\x1b[31mb\\u202e"


@pytest.mark.parametrize("form", ["gzip", "stdin", "gzip on stdin"])
def test_other_ways_in(redis: Path, tmp_path: Path, form: str) -> None:
    expected = run("decode", "--format", "jsonl", redis).stdout
    octets = redis.read_bytes()
    if form == "gzip":
        (tmp_path / "redis.pcap.gz").write_bytes(gzip.compress(octets))
        assert run("decode", "--format", "jsonl", tmp_path / "redis.pcap.gz").stdout == expected
    else:
        stdin = gzip.compress(octets) if form.startswith("gzip") else octets
        assert run("decode", "--format", "jsonl", "-", stdin=stdin).stdout == expected


def test_a_port_is_taken_for_a_protocol(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", (C, b"QUIT\r\n"), (S, b"+OK\r\n"), port=7000)
    assert run("decode", "--format", "jsonl", path).stdout == b""
    for option in (["--port", "7000=redis"], ["--protocol", "redis"]):
        found = records(run("decode", "--format", "jsonl", *option, path).stdout)
        assert [record["operation"] for record in found] == ["QUIT", "QUIT"]


def test_an_error_ends_its_direction_and_nothing_else(tmp_path: Path, redis: Path) -> None:
    broken = capture(
        tmp_path / "broken.pcap",
        (C, b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPINGxx"),
        (S, b"+PONG\r\n"),
        (C, b"*1\r\n$4\r\nPING\r\n"),
        (S, b"-ERR Protocol error\r\n"),
    )
    done = run("decode", "--format", "jsonl", broken, redis)
    found = records(done.stdout)
    assert done.returncode == 0
    assert [record["kind"] for record in found[:4]] == ["heartbeat", "error", "response", "response"]
    error = found[1]
    assert (error["offset"], error["seen"], error["expected"]) == (26, "b'x'", "CR LF")
    assert (error["sender"], error["protocol"]) == ("client", "redis")
    assert len(found) == 8
    assert run("decode", "--strict", broken, redis).returncode == 1
    assert run("decode", "--strict", redis).returncode == 0


def test_a_message_cut_by_the_end_of_the_connection_is_an_error_and_by_that_of_the_capture_is_not(
    tmp_path: Path,
) -> None:
    pieces = (C, b"*2\r\n$3\r\nGET\r\n")
    closed = records(run("decode", "--format", "jsonl", capture(tmp_path / "a.pcap", pieces)).stdout)
    assert [record["kind"] for record in closed] == ["error"]
    assert run("decode", "--format", "jsonl", capture(tmp_path / "b.pcap", pieces, close=False)).stdout == b""


def test_lost_octets_are_told(tmp_path: Path) -> None:
    whole = capture(tmp_path / "a.pcap", *[(C, b"*2\r\n$3\r\nGET\r\n$1\r\n%d\r\n" % n) for n in range(5)]).read_bytes()
    # The third command's packet: cut its record out of the file.
    at = 24
    for _ in range(3 + 4):
        at += 16 + int.from_bytes(whole[at + 8 : at + 12], sys.byteorder)
    records_before = []
    position = 24
    while position < len(whole):
        size = 16 + int.from_bytes(whole[position + 8 : position + 12], sys.byteorder)
        records_before.append(whole[position : position + size])
        position += size
    kept = [record for record in records_before if b"$1\r\n2\r\n" not in record]
    assert len(kept) == len(records_before) - 1
    (tmp_path / "b.pcap").write_bytes(whole[:24] + b"".join(kept))
    found = records(run("decode", "--format", "jsonl", tmp_path / "b.pcap").stdout)
    assert [record["kind"] for record in found] == ["request", "request", "gap", "request", "request"]
    assert (found[2]["offset"], found[2]["size"]) == (40, 20)
    assert [record["resources"] for record in found if record["kind"] == "request"] == [["0"], ["1"], ["3"], ["4"]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["decode", "--protocol", "nothing", "x"], "unknown protocol 'nothing'"),
        (["decode", "--port", "70000=redis", "x"], "--port takes PORT=NAME"),
        (["decode", "--port", "redis", "x"], "--port takes PORT=NAME"),
        (["decode", "--port", "1=nothing", "x"], "unknown protocol 'nothing'"),
        (["decode", "--format", "xml", "x"], "invalid choice"),
        (["decode"], "FILE"),
        (["decode", "--wrong", "x"], "--wrong"),
        (["nothing"], "invalid choice"),
        ([], "COMMAND"),
        (["decode", "/no/such/file"], "/no/such/file"),
        (["detect", "/no/such/file"], "/no/such/file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1
    assert text in done.stderr.decode()
    assert done.stderr.startswith(b"l7codecs: ")


def test_the_rest_of_the_files_are_still_done(redis: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no capture, but it is long enough to look at")
    (tmp_path / "cut.pcap").write_bytes(redis.read_bytes()[:-10])
    done = run("decode", "--format", "jsonl", tmp_path / "text", tmp_path / "none", tmp_path / "cut.pcap", redis)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert len(done.stdout.splitlines()) == 8


def test_detect(redis: Path, tmp_path: Path) -> None:
    other = capture(tmp_path / "b.pcap", (C, bytes(10)), (S, bytes(10)))
    done = run("detect", "--json", redis, other)
    first, second = records(done.stdout)
    assert first["flow"] == "192.0.2.1:40000>192.0.2.2:6379"
    (best,) = first["candidates"]  # type: ignore[misc]  # JSON
    assert (best["protocol"], best["verdict"]) == ("redis", "yes")
    assert best["reason"]
    assert second["candidates"] == []
    assert b"redis yes" in run("detect", redis).stdout


def test_protocols() -> None:
    found = json.loads(run("protocols", "--json").stdout)
    redis = next(item for item in found if item["name"] == "redis")
    assert (redis["distribution"], redis["ports"], redis["pairing"]) == ("l7codecs", [6379], "fifo")
    keys = next(item for item in redis["attributes"] if item["name"] == "redis.keys")
    assert (keys["type"], keys["sensitive"], keys["changeable"]) == ("bytes[]", True, True)
    assert b"redis.keys" in run("protocols").stdout


def test_a_reader_that_has_seen_enough_is_no_error(redis: Path) -> None:
    command = f"{sys.executable} -m l7codecs decode --format jsonl {' '.join([str(redis)] * 200)} | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_capture_that_the_demo_shows() -> None:
    done = run("decode", "--strict", "--format", "jsonl", DEMO)
    assert done.returncode == 0
    found = records(done.stdout)
    answered = {record["request_offset"] for record in found if record["kind"] == "response"}
    assert None not in answered
    assert {"request", "response", "push"} <= {record["kind"] for record in found}
