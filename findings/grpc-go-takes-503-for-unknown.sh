#!/usr/bin/env bash
# A proxy answers a gRPC call with an HTTP status alone, 503 say, and gives it gRPC's content type, as one that knows of gRPC a little does. gRPC's
# table ("HTTP to gRPC Status Code Mapping", for answers without grpc-status) has 429, 502, 503 and 504 be UNAVAILABLE, which retry policies
# and callers try again. grpc-go 1.85.0 says UNKNOWN to each of them, to 401, 403 and 404 as well: it goes by the table only where the content type is
# another. grpcio 1.85.3 goes by the table in both cases. So behind one proxy one language tries again, and another fails. Needs Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3 h2==4.4.1
cat >go.mod <<'MOD'
module call

go 1.25

require (
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)
MOD
cat >call.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	client, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	for _, method := range os.Args[2:] {
		err := client.Invoke(context.Background(), method, &emptypb.Empty{}, &emptypb.Empty{})
		fmt.Println(status.Code(err))
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o call call.go 2>/dev/null
venv/bin/python - <<'PY'
import contextlib, socket, subprocess, threading
from urllib.parse import urlsplit

import grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

def serve(connection):
    """Answer the call /STATUS/TYPE by that status and content type, and nothing else."""
    session = H2Connection(H2Configuration(client_side=False))
    session.initiate_connection()
    connection.sendall(session.data_to_send())
    with contextlib.suppress(OSError):
        while octets := connection.recv(65536):
            for event in session.receive_data(octets):
                if isinstance(event, RequestReceived):
                    path = urlsplit(dict(event.headers)[b":path"].decode()).path
                    _, status, kind = path.split("/")
                    content = {"grpc": "application/grpc", "text": "text/html"}[kind]
                    session.send_headers(event.stream_id, [(":status", status), ("content-type", content)], end_stream=True)
            connection.sendall(session.data_to_send())

listener = socket.create_server(("127.0.0.1", 0))
address = f"127.0.0.1:{listener.getsockname()[1]}"

def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
table = {400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED"}
table |= dict.fromkeys((429, 502, 503, 504), "UNAVAILABLE")
methods = [f"/{status}/{kind}" for kind in ("grpc", "text") for status in table]
told = subprocess.run(["./call", address, *methods], capture_output=True, text=True, check=True, timeout=60).stdout.split()
by_go = {method: code for method, code in zip(methods, told, strict=True)}
by_grpcio = {}
with grpc.insecure_channel(address) as channel:
    for method in methods:
        try:
            channel.unary_unary(method)(b"", timeout=20)
        except grpc.RpcError as error:
            by_grpcio[method] = error.code().name
for method in methods:
    print(f"{method:10} grpc-go {by_go[method]:17} grpcio {by_grpcio[method]}")
assert all(by_grpcio[method] == table[int(method[1:4])] for method in methods)
for status, code in table.items():
    assert by_go[f"/{status}/grpc"] == "Unknown"
    assert by_go[f"/{status}/text"].upper() == code.replace("_", "")
PY
