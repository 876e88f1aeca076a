"""The command as a user runs it: a process of its own, over files made here."""

import gzip
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

from capture_packets import ACK, PSH, START, ethernet, ipv4, pcap, tcp
from l7codecs import Sender
from l7codecs.capture import CaptureWriter
from l7codecs.cli.terminal import printable
from l7codecs.testing import load_vectors

C, S = Sender.CLIENT, Sender.SERVER
KEYS = [
    "time", "flow", "protocol", "sender", "kind", "offset", "size", "more", "request_id", "stream_id", "request_offset", "service",
    "operation", "resources", "status", "error", "headers", "attributes",
]  # fmt: skip
HTTP2_VECTORS = Path(__file__).parents[1] / "protocols/http2/vectors"
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


PING = b"*1\r\n$4\r\nPING\r\n"
HELLO = bytes.fromhex("16030100f8010000f40303") + bytes(242)
HELLO_BACK = bytes.fromhex("16030300500200004c0303") + bytes(74)


def midway(path: Path, *pieces: tuple[int, bytes], ports: tuple[int, int] = (30000, 40000)) -> Path:
    """A capture of one connection without its SYN; 0 and 1 are the ends that send."""
    ends = [("10.0.0.1", ports[0]), ("10.0.0.2", ports[1])]
    sequence = [1000, 2000]
    frames = []
    for number, (end, octets) in enumerate(pieces):
        segment = tcp(ends[end], ends[1 - end], sequence[end], sequence[1 - end], PSH | ACK, octets)
        frames.append((START + number * 1_000_000, ethernet(ipv4(ends[end], ends[1 - end], segment))))
        sequence[end] += len(octets)
    path.write_bytes(pcap(frames))
    return path


@pytest.mark.parametrize("asks", [0, 1])
@pytest.mark.parametrize("option", [(), ("--protocol", "redis")], ids=["detected", "told"])
def test_who_is_the_client_is_decided_by_what_is_said(tmp_path: Path, asks: int, option: tuple[str, ...]) -> None:
    path = midway(tmp_path / "a.pcap", (asks, PING), (1 - asks, b"+PONG\r\n"), (asks, PING), (1 - asks, b"+PONG\r\n"))
    found = records(run("decode", "--format", "jsonl", *option, path).stdout)
    assert [(record["sender"], record["kind"]) for record in found[:2]] == [
        ("client", "heartbeat"),
        ("server", "response"),
    ]
    client, _, server = str(found[0]["flow"]).partition(">")
    assert client == f"10.0.0.{asks + 1}:{(30000, 40000)[asks]}"
    assert server == f"10.0.0.{2 - asks}:{(40000, 30000)[asks]}"
    assert found[2]["attributes"]["server.port"] == (40000, 30000)[asks]  # type: ignore[index]
    assert run("detect", path).stdout.startswith(f"{client}>{server}  redis yes".encode())


def test_a_port_breaks_the_tie(tmp_path: Path) -> None:
    path = midway(tmp_path / "a.pcap", (0, b"nothing that anybody knows\n"), ports=(6379, 50000))
    found = records(run("decode", "--format", "jsonl", path).stdout)
    assert all(str(record["flow"]).endswith(":6379") for record in found)


ITEMS = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
"""An answer that looks like a command."""
PUSH = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"


@pytest.mark.parametrize(
    ("ports", "option"),
    [((50000, 6379), ()), ((6379, 50000), ()), ((7000, 50000), ("--port", "7000=redis"))],
    ids=["registered", "registered, the other end", "told"],
)
def test_an_answer_alone_is_no_evidence_against_a_known_port(
    tmp_path: Path, ports: tuple[int, int], option: tuple[str, ...]
) -> None:
    server = int(ports[1] == 6379)
    path = midway(tmp_path / "a.pcap", (server, ITEMS), (server, b":3\r\n"), *[(server, PUSH)] * 4, ports=ports)
    found = records(run("decode", "--format", "jsonl", *option, path).stdout)
    assert [(record["sender"], record["kind"]) for record in found] == [("server", "push")] * 2, "the third proves it"
    assert all(str(record["flow"]).endswith(f":{ports[server]}") for record in found)


@pytest.mark.parametrize("first", ["answer", "question"])
@pytest.mark.parametrize("ports", [(50000, 6379), (40000, 30000)])
def test_both_sides_look_like_clients_and_the_port_decides(tmp_path: Path, ports: tuple[int, int], first: str) -> None:
    asked = [(0, b"*2\r\n$4\r\nLLEN\r\n$1\r\nk\r\n"), (1, b":3\r\n")]
    pieces = [(1, ITEMS), *asked] if first == "answer" else [(0, PING), (1, ITEMS), *asked]
    found = records(run("decode", "--format", "jsonl", midway(tmp_path / "a.pcap", *pieces, ports=ports)).stdout)
    assert all(str(record["flow"]).startswith("10.0.0.1:") for record in found)
    assert [(record["sender"], record["kind"]) for record in found[-2:]] == [
        ("client", "request"),
        ("server", "response"),
    ]
    assert found[-2]["operation"] == "LLEN"


@pytest.mark.parametrize("port", [6379, 6380, 443])
@pytest.mark.parametrize("cut", [0, 1, 3, 5])
def test_tls_is_told_once(tmp_path: Path, port: int, cut: int) -> None:
    pieces = [(C, HELLO[:cut]), (C, HELLO[cut:])] if cut else [(C, HELLO)]
    path = capture(tmp_path / "a.pcap", *pieces, (S, HELLO_BACK), (C, b"\x17\x03\x03\0\x05abcde"), port=port)
    for option in ([], ["--protocol", "redis"]):
        (only,) = records(run("decode", "--strict", "--format", "jsonl", *option, path).stdout)
        assert (only["protocol"], only["kind"], only["sender"]) == ("tls", "encrypted", "client")
    assert b" tls " in run("decode", path).stdout
    assert b"tls: its messages cannot be read" in run("detect", path).stdout


def test_what_only_begins_like_tls_is_decoded(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", (C, b"\x16\x03\x01"), (C, b"\0\xf8\x09"), (S, b"-ERR Protocol error\r\n"))
    assert [record["protocol"] for record in records(run("decode", "--format", "jsonl", path).stdout)] == ["redis"] * 2


LONG = "averylongkey:" + "x" * 60


@pytest.fixture
def wordy(tmp_path: Path) -> Path:
    return capture(
        tmp_path / "long.pcap", (C, b"*2\r\n$3\r\nGET\r\n$73\r\n" + LONG.encode() + b"\r\n"), (S, b"+OK\r\n")
    )


def test_nothing_is_cut_in_a_pipe(wordy: Path) -> None:
    assert LONG in run("decode", wordy).stdout.decode()


def test_a_terminal_gets_what_fits_it(wordy: Path) -> None:
    for columns, whole in ((100, False), (300, True)):
        leader, follower = pty.openpty()
        ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        command = [sys.executable, "-m", "l7codecs", "decode", "--no-progress", str(wordy)]
        subprocess.run(command, stdout=follower, timeout=60, check=True, env=environment)
        os.close(follower)
        shown = os.read(leader, 65536).decode()
        os.close(leader)
        assert (LONG in shown) is whole
        assert ("…" in shown) is not whole


@pytest.mark.parametrize("form", ["jsonl", "table"])
@pytest.mark.parametrize("packed", ["pcap", "pcapng", "gzip"])
def test_what_is_complete_is_shown_while_input_pauses(tmp_path: Path, form: str, packed: str) -> None:
    commands = [b"*2\r\n$3\r\nGET\r\n$1\r\n%d\r\n" % number for number in range(3)]
    path = tmp_path / "a.pcap"
    capture(path, *((C, command) for command in commands), close=False)
    octets = path.read_bytes()
    ends = [octets.index(command) + len(command) for command in commands]
    if packed == "pcapng":
        frames = read_frames(octets)
        blocks = [struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)]
        blocks[0] += struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
        for frame in frames:
            lack = -len(frame) % 4
            total = 32 + len(frame) + lack
            head = struct.pack("<IIIIIII", 6, total, 0, 0, 0, len(frame), len(frame))
            blocks.append(head + frame + bytes(lack) + struct.pack("<I", total))
        pieces = [b"".join(blocks[: -len(commands) + 1]), *blocks[len(blocks) - len(commands) + 1 :]]
    else:
        pieces = [octets[: ends[0]], octets[ends[0] : ends[1]], octets[ends[1] :]]
    if packed == "gzip":
        stored = io.BytesIO()
        packer = gzip.GzipFile(fileobj=stored, mode="wb")
        flushed = []
        for piece in pieces:
            packer.write(piece)
            packer.flush()
            flushed.append(stored.getvalue())
            stored.seek(0)
            stored.truncate()
        packer.close()
        pieces = flushed
    command = [sys.executable, "-m", "l7codecs", "decode", "--protocol", "redis", "--format", form, "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if form == "table":
                process.stdout.readline()
            for number, piece in enumerate(pieces):
                process.stdin.write(piece)
                process.stdin.flush()
                assert b"GET" in (line := process.stdout.readline()), number  # waits for ever where nothing is shown
                assert b"%d" % number in line
        finally:
            process.kill()


def read_frames(octets: bytes) -> list[bytes]:
    """The frames of a little-endian pcap."""
    frames = []
    at = 24
    while at < len(octets):
        size = int.from_bytes(octets[at + 8 : at + 12], "little")
        frames.append(octets[at + 16 : at + 16 + size])
        at += 16 + size
    return frames


def test_a_failed_call_that_ends_in_its_body_is_told(tmp_path: Path) -> None:
    """gRPC-Web as Envoy answers: no message is behind the head of the answer, and its failure is a record all the same."""
    (vector,) = (each for each in load_vectors(HTTP2_VECTORS) if each.name == "web-envoy-text-late-error")
    found = records(run("decode", "--format", "jsonl", capture(tmp_path / "web.pcap", *vector.pieces)).stdout)
    answers = [each for each in found if each["protocol"] == "grpc_web" and each["sender"] == "server"]
    told = [(each["kind"], each["status"], each["error"]) for each in answers]
    assert told[0] == ("response", None, None)
    assert told[1][0] == "trailers"
    assert told[1][1] == told[1][2] != "OK"
    assert len(told) == 2
