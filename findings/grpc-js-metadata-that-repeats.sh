#!/usr/bin/env bash
# A client of grpcio 1.85.3 sends metadata twice under one key; a server of grpc-js 1.14.7 (Node's http2 below it) gets one value. For most keys
# it is the text "a, b", which is also what one value "a, b" looks like: they cannot be told apart. For keys that HTTP has once
# (location, age, from, referer, etag, expires …) the second value is gone, without a word. A server of grpcio gets both values of each.
# Binary keys (-bin) are whole in both. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7 >/dev/null
cat >server.js <<'JS'
const grpc = require("@grpc/grpc-js");
const server = new grpc.Server();
function tell(call, answer) {
  const found = {};
  for (const key of ["tenant", "location", "x-bin"])
    found[key] = call.metadata.get(key).map((each) => (Buffer.isBuffer(each) ? each.toString("hex") : each));
  answer(null, Buffer.from(JSON.stringify(found)));
}
server.register("/demo/Tell", tell, (octets) => octets, (octets) => octets, "unary");
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => console.log(port));
JS
venv/bin/python - <<'PY'
import json, subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        def tell(request, context):
            found = {key: [] for key in ("tenant", "location", "x-bin")}
            for key, value in context.invocation_metadata():
                if key in found:
                    found[key].append(value.hex() if isinstance(value, bytes) else value)
            return json.dumps(found).encode()
        return grpc.unary_unary_rpc_method_handler(tell)

def ask(port, *metadata):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return json.loads(channel.unary_unary("/demo/Tell")(b"", metadata=metadata, timeout=20))

server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
python = server.add_insecure_port("127.0.0.1:0")
server.start()
child = subprocess.Popen(["node", "server.js"], stdout=subprocess.PIPE)
try:
    node = int(child.stdout.readline())
    twice = (("tenant", "a"), ("tenant", "b"), ("location", "a"), ("location", "b"), ("x-bin", b"\1"), ("x-bin", b"\2"))
    by_python, by_node = ask(python, *twice), ask(node, *twice)
    one = ask(node, ("tenant", "a, b"))["tenant"]
finally:
    child.kill()
    server.stop(0)
print("sent:          ", twice)
print("grpcio's server: ", by_python)
print("grpc-js's server:", by_node, "and for one value 'a, b':", one)
assert by_python == {"tenant": ["a", "b"], "location": ["a", "b"], "x-bin": ["01", "02"]}
assert by_node == {"tenant": ["a, b"], "location": ["a"], "x-bin": ["01", "02"]}
assert one == by_node["tenant"]
PY
