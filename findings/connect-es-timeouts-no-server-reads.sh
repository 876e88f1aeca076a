#!/usr/bin/env bash
# connect-node 2.1.2 writes its timeoutMs into grpc-timeout as it is. gRPC has at most eight digits there, and no fraction. With 1500.5 ms, as a
# budget minus performance.now() gives, the header is "1500.5m", and servers of grpcio 1.85.3 and grpc-go 1.85.0 fail the call before any handler.
# With 100 000 s and more, as 2 ** 31 - 1 for "no limit", it has nine digits: grpc-go fails the call, grpcio takes it. grpc-js 1.14.7, asked for the
# same deadlines, passes both servers. By Connect's own protocol, which allows ten digits, the long ones are right. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3
npm install --silent --no-audit --no-fund @connectrpc/connect@2.1.2 @connectrpc/connect-node@2.1.2 @bufbuild/protobuf@2.17.0 @grpc/grpc-js@1.14.7 >/dev/null
cat >go.mod <<'MOD'
module server

go 1.25

require google.golang.org/grpc v1.85.0
MOD
cat >server.go <<'GO'
package main

import (
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Answers every method with a message of no fields.
func answer(_ any, stream grpc.ServerStream) error {
	message := &wrapperspb.BoolValue{}
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	return stream.SendMsg(message)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(grpc.NewServer(grpc.UnknownServiceHandler(answer)).Serve(listener))
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o server server.go 2>/dev/null
cat >client.js <<'JS'
const { createClient } = require("@connectrpc/connect");
const { createGrpcTransport } = require("@connectrpc/connect-node");
const { createFileRegistry, create } = require("@bufbuild/protobuf");
const { FileDescriptorProtoSchema, file_google_protobuf_wrappers } = require("@bufbuild/protobuf/wkt");
const grpc = require("@grpc/grpc-js");
const [address, ...timeouts] = process.argv.slice(2);
const type = ".google.protobuf.BoolValue";
const file = create(FileDescriptorProtoSchema, {
  name: "shop.proto", package: "shop", syntax: "proto3", dependency: ["google/protobuf/wrappers.proto"],
  service: [{ name: "Shop", method: [{ name: "Get", inputType: type, outputType: type }] }],
});
const service = createFileRegistry(file, () => file_google_protobuf_wrappers.proto).getService("shop.Shop");
const client = new grpc.Client(address, grpc.credentials.createInsecure());
const same = (octets) => octets;
const told = (error) => (error ? error.message.replaceAll("\n", " ") : "answered");
async function main() {
  for (const timeoutMs of timeouts.map(Number)) {
    const connect = createClient(service, createGrpcTransport({ baseUrl: `http://${address}` }));
    console.log(await connect.get({}, { timeoutMs }).then(() => "answered", told));
    const deadline = Date.now() + timeoutMs;
    console.log(await new Promise((done) => client.makeUnaryRequest("/shop.Shop/Get", same, same, Buffer.alloc(0), { deadline }, (error) => done(told(error)))));
  }
  process.exit();
}
main();
JS
venv/bin/python - <<'PY'
import subprocess
from concurrent.futures import ThreadPoolExecutor
import grpc

handler = grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
server = grpc.server(ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Shop", {"Get": handler})])
ports = {"grpcio": server.add_insecure_port("127.0.0.1:0")}
server.start()
other = subprocess.Popen(["./server"], stdout=subprocess.PIPE, text=True)
timeouts = ["1500", "1500.5", "99999999", "100000000", "2147483647"]
found = {}
try:
    ports["grpc-go"] = int(other.stdout.readline())
    for name, port in ports.items():
        command = ["node", "client.js", f"127.0.0.1:{port}", *timeouts]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
        for timeout, by_connect, by_grpc_js in zip(timeouts, told[::2], told[1::2], strict=True):
            print(f"{timeout:>10} ms to {name:8} connect-node: {by_connect}; grpc-js: {by_grpc_js}")
            assert by_grpc_js == "answered"
        found[name] = [each == "answered" for each in told[::2]]
finally:
    other.kill()
    other.wait()
    server.stop(0)
assert found == {"grpcio": [True, False, True, True, True], "grpc-go": [True, False, True, False, False]}
PY
