#!/usr/bin/env bash
# gRPC's binary metadata (keys in -bin) that came together: its protocol over HTTP/2 says that fields of one name may be joined with ",", and
# that implementations must split binary ones on "," before they decode Base64. grpc-js 1.14.7 does. grpcio 1.85.3 and grpc-go 1.85.0 do not: they
# take the comma for bad Base64 and fail the call with INTERNAL before any handler sees it. Two fields are read by all three. So what joins
# fields, as HTTP allows and Node's http2 does for header objects, breaks exactly the calls that have two values. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3 h2==4.4.1
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7 >/dev/null
cat >server.js <<'JS'
const grpc = require("@grpc/grpc-js");
const server = new grpc.Server();
const told = (call, answer) => answer(null, Buffer.from(call.metadata.get("x-bin").map((each) => each.toString("hex")).join(" ")));
server.register("/demo/Tell", told, (octets) => octets, (octets) => octets, "unary");
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => console.log(port));
JS
cat >go.mod <<'MOD'
module server

go 1.24

require google.golang.org/grpc v1.85.0
MOD
cat >server.go <<'GO'
package main

import (
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

type raw struct{}

func (raw) Marshal(value any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*value.(*[]byte))}, nil
}
func (raw) Unmarshal(data mem.BufferSlice, value any) error {
	*value.(*[]byte) = data.Materialize()
	return nil
}
func (raw) Name() string { return "raw" }

func tell(_ any, stream grpc.ServerStream) error {
	var octets []byte
	if err := stream.RecvMsg(&octets); err != nil {
		return err
	}
	fields, _ := metadata.FromIncomingContext(stream.Context())
	var values []string
	for _, value := range fields["x-bin"] {
		values = append(values, hex.EncodeToString([]byte(value)))
	}
	answer := []byte(strings.Join(values, " "))
	return stream.SendMsg(&answer)
}

func main() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	_ = grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(tell)).Serve(listener)
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o server server.go 2>/dev/null
venv/bin/python - <<'PY'
import socket, subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import h2.connection, h2.events

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        def tell(request, context):
            return " ".join(value.hex() for key, value in context.invocation_metadata() if key == "x-bin").encode()
        return grpc.unary_unary_rpc_method_handler(tell)

def ask(port, fields):
    """Call over HTTP/2 with these fields: the message that was answered, or grpc-status and grpc-message."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    head = [(":method", "POST"), (":scheme", "http"), (":path", "/demo/Tell"), (":authority", "localhost")]
    connection.send_headers(1, [*head, ("te", "trailers"), ("content-type", "application/grpc"), *fields])
    connection.send_data(1, bytes(5), end_stream=True)
    body, end = b"", {}
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        while True:
            link.sendall(connection.data_to_send())
            for event in connection.receive_data(link.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    end.update(event.headers)
                elif isinstance(event, h2.events.StreamEnded):
                    status = end[b"grpc-status"].decode()
                    return body[5:].decode() if status == "0" else f"{status} {end[b'grpc-message'].decode()}"

server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
ports = {"grpcio": server.add_insecure_port("127.0.0.1:0")}
server.start()
commands = {"grpc-js": ["node", "server.js"], "grpc-go": ["./server"]}
children = {name: subprocess.Popen(command, stdout=subprocess.PIPE) for name, command in commands.items()}
try:
    ports |= {name: int(child.stdout.readline()) for name, child in children.items()}
    for name, port in ports.items():
        apart = ask(port, [("x-bin", "AQ=="), ("x-bin", "AgM=")])
        joined = ask(port, [("x-bin", "AQ==,AgM=")])
        print(f"{name}: two fields -> {apart}; joined -> {joined}")
        assert apart == "01 0203"
        if name == "grpc-js":
            assert joined == "01 0203"
        else:
            assert joined.startswith("13 ") and "illegal base64" in joined
finally:
    for child in children.values():
        child.kill()
    server.stop(0)
PY
