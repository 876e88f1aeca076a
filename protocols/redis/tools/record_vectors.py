"""Record the vectors of this room from a real server: ``python protocols/redis/tools/record_vectors.py``.

With ``--replication SERVER``, the path of a redis-server of version 8 or newer, writes ``vectors/replication-rdb-channel.txt`` instead: what a
primary says to a replica whose other connection carries the file, through a recording relay.

Starts redis-server (7 or newer, from PATH) on a free port of the loopback, holds each conversation below with it, octet for octet, and writes
``vectors/<name>.txt``. A piece is sent, and what the server says until it has been silent for a tenth of a second is its answer.
"""

# ruff: noqa: E501
from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from l7codecs import Sender
from l7codecs.testing import Relay, Vector

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SILENCE = 0.1  # seconds


def command(*words: str | bytes) -> bytes:
    """A command as a client would send it."""
    arguments = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in arguments)


c = command
CONVERSATIONS: dict[str, list[bytes]] = {
    "strings": [
        c("SET", "user:42", "hello"), c("GET", "user:42"), c("get", "nothing"), c("STRLEN", "user:42"), c("MSET", "a", "1", "b", "2"),
        c("MGET", "a", "b", "none"), c("SET", b"bin\x00\r\nkey\xff", b"\r\n$5\r\n-ERR\r\n"), c("GET", b"bin\x00\r\nkey\xff"),
        c("SET", "empty", ""), c("GET", "empty"), c("DEL", "a", "b", "empty"),
    ],
    "pipeline": [
        c("SET", "k", "1") + c("INCR", "k") + c("GET", "k") + c("LPUSH", "k", "x") + c("NOSUCH", "a") + c("RPUSH", "l", "a", "b")
        + c("LRANGE", "l", "0", "-1") + c("EXISTS", "k", "l"),
        c("OBJECT", "ENCODING", "l") + c("CONFIG", "GET", "maxmemory") + c("XADD", "s", "1-1", "f", "v") + c("XGROUP", "CREATE", "s", "g", "$")
        + c("XREAD", "COUNT", "2", "STREAMS", "s", "0") + c("EVAL", "return {KEYS[1],{1,{2}}}", "1", "k"),
    ],
    "inline": [
        b"PING\r\n", b"set \"in line\" 'a b'\n", b"GET \"in line\"\r\n", b"\r\n\n   \r\n", b"ECHO \"\\x41\\n\\\"\"\r\n", b"*0\r\n*-1\r\n",
        b"\"\"\r\n", b"*1\r\n$0\r\n\r\n", b"config get maxmemory\r\n",
    ],
    "heartbeat": [c("PING"), c("PING", "are you there"), c("ECHO", "x"), c("QUIT")],
    "select": [c("SELECT", "5"), c("GET", "k"), c("SELECT", "99"), c("GET", "k"), c("MULTI") + c("SELECT", "2") + c("DISCARD"), c("GET", "k")],
    "transaction": [
        c("WATCH", "k"), c("MULTI"), c("SET", "k", "1"), c("GET", "k"), c("EXEC"), c("MULTI") + c("NOSUCH") + c("EXEC"), c("EXEC"),
        c("MULTI") + c("MULTI") + c("INCR", "k") + c("DISCARD"), c("MULTI") + c("EXEC"),
    ],
    "subscribe": [
        c("SUBSCRIBE", "a", "b", "a"), c("PING"), c("PSUBSCRIBE", "n*"), c("GET", "k"), c("UNSUBSCRIBE"), c("PUNSUBSCRIBE", "n*"), c("UNSUBSCRIBE"),
        c("SSUBSCRIBE", "sh"), c("SUNSUBSCRIBE"), c("GET", "k"),
    ],
    "subscribe-in-transaction": [
        c("MULTI") + c("SUBSCRIBE", "a", "b", "c") + c("SET", "k", "v") + c("EXEC"), c("UNSUBSCRIBE"), c("GET", "k"),
    ],
    "resp3": [
        c("HELLO", "3"), c("HSET", "h", "f", "1", "g", "2"), c("HGETALL", "h"), c("GET", "none"), c("SADD", "t", "x"), c("SMEMBERS", "t"),
        c("ZADD", "z", "1.5", "m", "inf", "n"), c("ZSCORE", "z", "m"), c("ZRANGE", "z", "0", "-1", "WITHSCORES"),
        c("DEBUG", "PROTOCOL", "BIGNUM"), c("DEBUG", "PROTOCOL", "TRUE"), c("DEBUG", "PROTOCOL", "DOUBLE"), c("DEBUG", "PROTOCOL", "VERBATIM"),
        c("DEBUG", "PROTOCOL", "ATTRIB"), c("DEBUG", "PROTOCOL", "PUSH"), c("DEBUG", "PROTOCOL", "NULL"), c("DEBUG", "PROTOCOL", "MAP"),
        c("DEBUG", "PROTOCOL", "SET"), c("DEBUG", "PROTOCOL", "ERROR"), c("DEBUG", "PROTOCOL", "ARRAY"), c("HELLO", "2"), c("GET", "none"), c("HELLO", "9"),
    ],
    "resp3-subscribe": [
        c("HELLO", "3") + c("SUBSCRIBE", "a", "b") + c("PUBLISH", "a", "hi") + c("GET", "k") + c("PING"),
        c("MULTI") + c("PUBLISH", "a", "x") + c("UNSUBSCRIBE", "a", "b") + c("GET", "k") + c("EXEC"), c("UNSUBSCRIBE"),
    ],
    "resp3-invalidate": [
        c("HELLO", "3") + c("CLIENT", "TRACKING", "ON"), c("GET", "tk"), c("SET", "tk", "1"), c("GET", "tk"), c("FLUSHALL"),
    ],
    "client-reply": [
        c("CLIENT", "REPLY", "SKIP") + c("GET", "k") + c("PING"), c("CLIENT", "REPLY", "OFF") + c("GET", "k") + c("CLIENT", "REPLY", "SKIP"),
        c("SET", "k", "1") + c("CLIENT", "REPLY", "ON") + c("GET", "k"), c("CLIENT", "REPLY", "OFF") + c("RESET") + c("GET", "k"),
    ],
    "monitor": [c("MONITOR"), c("PING"), c("MONITOR") + c("RESET"), c("PING")],
    "reset": [c("SELECT", "3") + c("MULTI") + c("SET", "a", "b") + c("RESET") + c("GET", "a"), c("SUBSCRIBE", "x") + c("RESET") + c("GET", "a")],
    "errors": [
        c("SET", "str", "x"), c("LPUSH", "str", "y"), c("GET"), c("SET", "a", "b", "BAD"), c("EVALSHA", "f" * 40, "0"), c("CLIENT", "NOSUCH"),
        c("AUTH", "wrong"), c("XREADGROUP", "GROUP", "no", "no", "STREAMS", "str", ">"), c("SELECT", "x"),
    ],
    "replication": [
        c("PING"), c("REPLCONF", "listening-port", "1"), c("REPLCONF", "capa", "psync2"), c("PSYNC", "?", "-1"), c("REPLCONF", "ACK", "0"),
    ],
}  # fmt: skip


def talk(port: int, pieces: list[bytes]) -> list[tuple[Sender, bytes]]:
    """Hold one conversation; returns who sent what."""
    said: list[tuple[Sender, bytes]] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(SILENCE)
        for piece in pieces:
            connection.sendall(piece)
            said.append((Sender.CLIENT, piece))
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except TimeoutError:
                pass
            if answer:
                said.append((Sender.SERVER, answer))
    return said


def record_replication(program: str) -> None:
    """Write the vector of a replica of `program` that replicates through two connections."""
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[2][2:]
    timing = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
    with tempfile.TemporaryDirectory() as folder:
        common = [program, "--save", "", "--dir", folder, "--port"]
        primary = subprocess.Popen([*common, "0", "--unixsocket", f"{folder}/s", *timing], stdout=subprocess.DEVNULL)
        while not Path(f"{folder}/s").exists():
            time.sleep(0.01)
        with Relay(f"{folder}/s") as relay, socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
            free.close()
            of = ["--replicaof", "127.0.0.1", str(relay.port)]
            replica = subprocess.Popen([*common, port, *of], stdout=subprocess.DEVNULL)
            main = relay.number(0)
            relay.number(1)
            time.sleep(2)
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(f"{folder}/s")
                other.sendall(command("SET", "k", "v"))
                other.recv(100)
            time.sleep(2)
            replica.kill()
            main.wait_closed()
        for process in replica, primary:
            process.kill()
            process.wait()
    source = f"redis-server {version}: python protocols/redis/tools/record_vectors.py --replication SERVER"
    main.to_vector("replication-rdb-channel").save(VECTORS, source)


def main() -> None:
    """Write every vector."""
    if sys.argv[1:2] == ["--replication"]:
        record_replication(sys.argv[2])
        return
    version = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True).stdout.split()[
        2
    ][2:]
    VECTORS.mkdir(exist_ok=True)
    for name, pieces in CONVERSATIONS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/s"
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            options = ["--port", str(port), "--unixsocket", path, "--dir", folder, "--save", "", "--enable-debug-command", "yes",
                       "--repl-diskless-sync", "no", "--repl-diskless-sync-delay", "0"]  # fmt: skip
            with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as server:
                try:
                    while not Path(path).exists():
                        time.sleep(0.01)
                    if name == "replication":
                        with socket.socket(socket.AF_UNIX) as other:
                            other.connect(path)
                            other.sendall(command("SET", "before", "1"))
                            other.recv(100)
                    said = talk(port, pieces)
                finally:
                    server.terminate()
        source = f"redis-server {version}: python protocols/redis/tools/record_vectors.py"
        Vector(name, tuple(said)).save(VECTORS, source)


if __name__ == "__main__":
    main()
