"""Write the vectors: what pymemcache and lines written by hand, and a real memcached, say to each other.

Usage: ``python tools/record_vectors.py`` with pymemcache installed and ``memcached`` on the path (Debian: ``apt install memcached``).
The server runs on the loopback, and is stopped when done.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from pymemcache.client.base import Client

from l7codecs.testing import Relay

FOLDER = Path(__file__).resolve().parents[1] / "vectors"

CASES = {
    "classic": b"set a 5 0 3\r\none\r\nadd a 0 0 1\r\nx\r\nget a zz\r\nget zz\r\nreplace zz 0 0 1\r\nx\r\nappend a 0 0 1\r\n!\r\n"
    b"gets a b\r\ncas a 0 0 1 1\r\nx\r\ncas zz 0 0 1 1\r\nx\r\ngat 100 a\r\ntouch a 0\r\ntouch zz 0\r\ndelete zz\r\n",
    "numbers": b"set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 1\r\nincr zz 1\r\nincr n x\r\nset t 0 0 1\r\nx\r\nincr t 1\r\n",
    "noreply": b"set noreply 0 0 1 noreply\r\nx\r\nget noreply\r\ndelete noreply\r\ndelete noreply noreply\r\nverbosity 0 noreply\r\n"
    b"flush_all noreply\r\nget noreply\r\n",
    "binary-values": b"set b 0 0 9\r\nEND\r\n\x00\xff\r\n\r\nget b b\r\n",
    "quiet": b"ms q 2 q Oa\r\nhi\r\nmg q v q k Ob\r\nmg zz v q k Oc\r\nmd zz q Od\r\nms q 2 q ME Oe\r\nhi\r\nmg q q Of\r\nmn\r\n",
    "quiet-without-tokens": b"ms q 2 q\r\nhi\r\nmg q v q\r\nmg zz v q\r\nmn\r\nmg q v q k\r\nmg z v q k\r\nmn\r\n",
    "meta": b"ms m 3 T60 F7 c\r\nabc\r\nmg m v f s t c k O1\r\nmg zz v O2 k\r\nmg m\r\nma n\r\nms n 1\r\n5\r\nma n v N0 D3\r\n"
    b"me m\r\nmd m I T30\r\nmg m v c t\r\nmg m v c t\r\nmd m C1\r\nmn\r\n",
    "base64": b"ms Zm9v 2 b\r\nhi\r\nmg Zm9v b k v\r\nmg foo k v\r\n",
    "refused-lines": b"set k 0 0 abc\r\nversion\r\nset k 0 0 -1\r\nset k xx 0 7\r\nversion\r\nms k S7\r\nversion\r\n"
    b"set %s 0 0 7\r\nversion\r\n" % (b"k" * 251),
    "refused-values": b"ms k 7 Fxx\r\nversion\r\nms k 7 MX\r\nversion\r\nset k 0 0 2\r\nhello\r\n"
    b"set k 0 0 2 noreply\r\nhello\r\nversion\r\n",
    "no-commands": b"\r\nGET k\r\nfoo bar\r\nmg\r\nmg k !\r\nmg k O%s v\r\n get k\r\nget  k   k\r\nversion\nshutdown\r\n"
    % (b"1" * 33),
    "statistics": b"stats items\r\nstats reset\r\nset k 0 0 1\r\nx\r\nlru_crawler metadump all\r\n",
    "quit": b"version\r\nquit\r\n",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with memcached() as (port, name):
        for case, octets in CASES.items():
            record(port, f"{name}, lines by hand", case, lambda address, said=octets: say(address, said))
        record(port, f"{name}, lines by hand", "watch", lambda address: watch(address, port))
        record(port, f"{name}, asked by pymemcache {version('pymemcache')}", "pymemcache", ask)


@contextlib.contextmanager
def memcached() -> Iterator[tuple[int, str]]:
    """A running memcached: its port, and its name with the version."""
    program = shutil.which("memcached")
    if program is None:
        raise SystemExit("memcached is not there: apt install memcached")
    name = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([program, "-l", "127.0.0.1", "-p", str(port), "-u", "nobody", "-m", "32"])
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > deadline:
                raise SystemExit("memcached does not listen")
            time.sleep(0.05)
        yield port, name
    finally:
        server.terminate()
        server.wait(10)


def record(port: int, source: str, name: str, client: Callable[[tuple[str, int]], None]) -> None:
    """Let `client` speak through a relay, and write down what was said."""
    with Relay(("127.0.0.1", port)) as relay:
        client(("127.0.0.1", relay.port))
        (recording,) = relay.wait_closed()
    print(recording.to_vector(name).save(FOLDER, f"{source}; tools/record_vectors.py"))


def say(address: tuple[str, int], octets: bytes) -> None:
    """Send all at once, and read until nothing comes any more."""
    with socket.create_connection(address, 5) as connection:
        connection.sendall(octets)
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while connection.recv(65536):
                pass


def watch(address: tuple[str, int], port: int) -> None:
    """A connection that becomes the log of what another one does."""
    with socket.create_connection(address, 5) as connection:
        connection.sendall(b"watch fetchers\r\n")
        connection.recv(65536)
        say(("127.0.0.1", port), b"get a\r\nget b\r\n")
        connection.settimeout(2)
        with contextlib.suppress(TimeoutError):
            connection.recv(65536)


def ask(address: tuple[str, int]) -> None:
    client = Client(address)
    client.set("k", b"value")
    assert client.get("k") == b"value"
    client.set("k2", b"1", noreply=False)
    client.set_many({"a": b"1", "b": b"2"})
    assert client.get_many(["a", "b", "zz"]) == {"a": b"1", "b": b"2"}
    _, token = client.gets("a")
    assert client.cas("a", b"9", token)
    client.add("a", b"1")
    assert client.incr("b", 1) == 3
    client.delete("a")
    client.touch("b", 5)
    assert client.get("a") is None
    client.quit()


if __name__ == "__main__":
    main()
