#!/usr/bin/env bash
# gRPC's status message is percent-encoded on the wire: a server must encode what is not printable and "%", it may encode more, and a client decodes
# whatever is encoded. grpc-js 1.14.7 decodes by decodeURI, which leaves the eleven signs #$&+,/:;=?@ encoded, as a URI needs them. A server of
# connect-node 2.1.2, which encodes all of them, says "no such item: /shop?id=1", and grpc-js "no such item%3A %2Fshop%3Fid%3D1". grpcio 1.85.3 reads
# it as it was said. With servers that encode only what they must nothing is seen. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3
npm install --silent --no-audit --no-fund @connectrpc/connect@2.1.2 @connectrpc/connect-node@2.1.2 @bufbuild/protobuf@2.17.0 @grpc/grpc-js@1.14.7 >/dev/null
cat >server.js <<'JS'
const http2 = require("http2");
const { Code, ConnectError } = require("@connectrpc/connect");
const { connectNodeAdapter } = require("@connectrpc/connect-node");
const { BoolValueSchema, file_google_protobuf_wrappers } = require("@bufbuild/protobuf/wkt");
const { createFileRegistry, create, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorProtoSchema } = require("@bufbuild/protobuf/wkt");
// service shop.Shop { rpc Get (google.protobuf.BoolValue) returns (google.protobuf.BoolValue); }
const type = ".google.protobuf.BoolValue";
const file = create(FileDescriptorProtoSchema, {
  name: "shop.proto", package: "shop", syntax: "proto3", dependency: ["google/protobuf/wrappers.proto"],
  service: [{ name: "Shop", method: [{ name: "Get", inputType: type, outputType: type }] }],
});
const registry = createFileRegistry(file, () => file_google_protobuf_wrappers.proto);
const routes = (router) => router.service(registry.getService("shop.Shop"), {
  get() {
    throw new ConnectError(process.argv[2], Code.NotFound);
  },
});
const server = http2.createServer(connectNodeAdapter({ routes, connect: false }));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JS
cat >client.js <<'JS'
const grpc = require("@grpc/grpc-js");
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const same = (octets) => octets;
client.makeUnaryRequest("/shop.Shop/Get", same, same, Buffer.alloc(0), (error) => {
  console.log(error.details);
  client.close();
});
JS
venv/bin/python - <<'PY'
import subprocess
import grpc

said = "no such item: /shop?id=1 #$&+,;@ 100%"
server = subprocess.Popen(["node", "server.js", said], stdout=subprocess.PIPE, text=True)
try:
    address = f"127.0.0.1:{server.stdout.readline().strip()}"
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary("/shop.Shop/Get")(b"", timeout=20)
        except grpc.RpcError as error:
            by_grpcio = error.details()
    by_grpc_js = subprocess.run(["node", "client.js", address], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
finally:
    server.kill()
    server.wait()
print("said:   ", said)
print("grpcio: ", by_grpcio)
print("grpc-js:", by_grpc_js)
assert by_grpcio == said
assert by_grpc_js == "no such item%3A %2Fshop%3Fid%3D1 %23%24%26%2B%2C%3B%40 100%"
PY
