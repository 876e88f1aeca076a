#!/usr/bin/env bash
# memcached 1.6.18 with pymemcache 4.0.0 and its defaults: a value over the server's limit (1 MB) is not stored, what stood under the key is deleted,
# and set says True. pymemcache sends `noreply` with set, add, replace, append, touch and delete unless it is told otherwise, so it does not hear
# "SERVER_ERROR object too large for cache". An append that is too large says True as well, but leaves the old value. So a value that grows
# slowly is, one day, a miss for ever, with no error at the client, nor at a proxy that counts answers. Needs memcached.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pymemcache==4.0.0
"$folder/venv/bin/python" - "$folder/socket" <<'PY'
import getpass, subprocess, sys, time

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError

address = sys.argv[1]
print(subprocess.run(["memcached", "-V"], capture_output=True, text=True, check=True).stdout.strip())
server = subprocess.Popen(["memcached", "-s", address, "-u", getpass.getuser()])
try:
    client = Client(address)
    for _ in range(100):
        try:
            client.version()
            break
        except OSError:
            time.sleep(0.05)
    large = b"x" * 2_000_000
    client.set("key", b"old")
    appended, kept = client.append("key", large), client.get("key")
    print("append of 2 MB:", appended, "and then get:", kept)
    stored, left = client.set("key", large), client.get("key")
    print("set of 2 MB:   ", stored, "and then get:", left)
    assert (appended, kept, stored, left) == (True, b"old", True, None)
    client.set("key", b"old")
    try:
        client.set("key", large, noreply=False)
    except MemcacheServerError as error:
        print("set of 2 MB with noreply=False:", error, "and then get:", client.get("key"))
        assert "too large" in str(error) and client.get("key") is None
    else:
        raise SystemExit("no error")
finally:
    server.kill()
    server.wait()
PY
