#!/usr/bin/env bash
# nats-server 2.15.2: a verbose client gets +OK for each command, and -ERR in its place where the command is refused (SUB with a bad
# subject). A PUB with a bad subject in pedantic mode gets both, -ERR and then +OK: whoever counts answers is one ahead.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; chmod -R u+w "$work"; rm -rf "$work"' EXIT
GOPATH="$work/go" GOFLAGS=-mod=mod go install github.com/nats-io/nats-server/v2@v2.15.2 >/dev/null 2>&1
"$work/go/bin/nats-server" -a 127.0.0.1 -p 14222 >/dev/null 2>&1 &
server=$!
"$work/go/bin/nats-server" --version
python3 - <<'PY'
import socket, time

def connect():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 14222), 5)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nats-server does not listen")

def answers(command):
    """What stands between the answer to CONNECT and the PONG."""
    with connect() as connection:
        connection.recv(65536)
        connection.sendall(b'CONNECT {"verbose":true,"pedantic":true}\r\n' + command + b"PING\r\n")
        octets = b""
        while b"PONG\r\n" not in octets:
            octets += connection.recv(65536)
    return octets.split(b"\r\n")[1:-2]

found = {command: answers(command) for command in (b"SUB a 1\r\n", b"SUB a..b 1\r\n", b"PUB a 2\r\nhi\r\n", b"PUB a..b 2\r\nhi\r\n")}
for command, lines in found.items():
    print(command, "->", lines)
assert found[b"SUB a 1\r\n"] == found[b"PUB a 2\r\nhi\r\n"] == [b"+OK"]
assert [line[:4] for line in found[b"SUB a..b 1\r\n"]] == [b"-ERR"]
assert [line[:4] for line in found[b"PUB a..b 2\r\nhi\r\n"]] == [b"-ERR", b"+OK"]
PY
