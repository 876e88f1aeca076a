#!/usr/bin/env bash
# memcached keeps 32 bits of flags with a value, which say what it is, and Python's clients have agreed on them: 16 is text. python-binary-memcached
# 0.33.0 (bmemcached) has 16 for octets, and none for text. So its octets are text for pylibmc 1.6.3, python-memcached 1.62 and pymemcache 4.0.0
# (pickle_serde), or a UnicodeDecodeError, and its text is octets for them; and the other way round: octets that they stored fail in its get. Numbers
# pass, and so does everything between a client and itself. The three agree with each other. Needs memcached.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q python-binary-memcached==0.33.0 pylibmc==1.6.3 python-memcached==1.62 pymemcache==4.0.0
"$folder/venv/bin/python" - <<'PY'
import getpass, socket, subprocess, time

import bmemcached, memcache, pylibmc
from pymemcache import serde
from pymemcache.client.base import Client

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
print(subprocess.run(["memcached", "-V"], capture_output=True, text=True, check=True).stdout.strip())
server = subprocess.Popen(["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", getpass.getuser()])
address = f"127.0.0.1:{port}"
clients = {
    "bmemcached": bmemcached.Client((address,)),
    "pylibmc": pylibmc.Client([address]),
    "python-memcached": memcache.Client([address]),
    "pymemcache": Client(("127.0.0.1", port), serde=serde.pickle_serde),
}

def read(client):
    try:
        return client.get("key")
    except UnicodeDecodeError:
        return UnicodeDecodeError

try:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    found = {}
    for value in ("text", b"octets", b"\xff\x00", 7):
        for writer, client in clients.items():
            client.set("key", value)
            for reader, other in clients.items():
                found[writer, reader, value] = read(other)
        print(f"{value!r}:", *(f"{writer}'s is {[found[writer, reader, value] for reader in clients]}" for writer in clients), sep="\n    ")
finally:
    server.kill()
    server.wait()
for (writer, reader, value), result in found.items():
    if (writer == "bmemcached") == (reader == "bmemcached") or value == 7:
        assert result == value
    elif isinstance(value, str):
        assert result == value.encode()
    else:
        assert result == ("octets" if value == b"octets" else UnicodeDecodeError)
PY
