#!/usr/bin/env bash
# dubbo-go 3.3.0, protocol dubbo, defaults: a call that the provider answered with an exception of its own ("sold out": status 20, OK, and the
# exception in the body) is sent again, and again: three calls, though each one reached the provider and was answered. Its failover knows
# business errors of Triple only, and takes those of dubbo for a provider that was not there. So a service that throws after it has written
# writes three times, and metrics at a proxy show three failures for one. WithClientRetries(0) sends one. Needs Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module call

go 1.24

require dubbo.apache.org/dubbo-go/v3 v3.3.0
MOD
cat >call.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"dubbo.apache.org/dubbo-go/v3/client"
	_ "dubbo.apache.org/dubbo-go/v3/cluster/cluster/failover"
	_ "dubbo.apache.org/dubbo-go/v3/cluster/loadbalance/random"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	_ "dubbo.apache.org/dubbo-go/v3/filter/graceful_shutdown"
	_ "dubbo.apache.org/dubbo-go/v3/protocol/dubbo"
	_ "dubbo.apache.org/dubbo-go/v3/proxy/proxy_factory"
)

func main() {
	options := []client.ClientOption{
		client.WithClientProtocolDubbo(),
		client.WithClientURL("dubbo://" + os.Args[1]),
		client.WithClientSerialization(constant.Hessian2Serialization),
	}
	if os.Args[2] == "once" {
		options = append(options, client.WithClientRetries(0))
	}
	made, err := client.NewClient(options...)
	if err != nil {
		panic(err)
	}
	connection, err := made.Dial("demo.Shop")
	if err != nil {
		panic(err)
	}
	var answer any
	fmt.Println("the caller is told:", connection.CallUnary(context.Background(), []any{"x"}, &answer, "pay"))
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod go build -o call call.go 2>/dev/null
python3 - <<'PY'
import socket, struct, subprocess, threading

HEAD = ">HBBQI"  # dabb, flags, status, id, size of the body


def text(value):
    return bytes([len(value)]) + value.encode()


# An exception beside no attachments: a class of one field, its one object, an empty map.
THROWN = b"\x93C" + text("java.lang.RuntimeException") + b"\x91" + text("detailMessage") + b"\x60" + text("sold out") + b"HZ"
calls = []


def serve(connection):
    stream = connection.makefile("rb")
    while len(head := stream.read(16)) == 16:
        _, flags, _, number, size = struct.unpack(HEAD, head)
        body = stream.read(size)
        if flags & 0x20:  # a heartbeat
            connection.sendall(struct.pack(HEAD, 0xDABB, 0x22, 20, number, 1) + b"N")
            continue
        assert text("pay") in body
        calls.append(number)
        connection.sendall(struct.pack(HEAD, 0xDABB, 2, 20, number, len(THROWN)) + THROWN)


def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
address = "{}:{}".format(*listener.getsockname())
for how, expected in (("default", 3), ("once", 1)):
    calls.clear()
    said = subprocess.run(["./call", address, how], capture_output=True, text=True, check=True, timeout=60).stdout
    (told,) = [line for line in said.splitlines() if line.startswith("the caller")]
    print(f"{how}: the provider was called {len(calls)} times, ids {calls}; {told}")
    assert len(calls) == expected and told.endswith("sold out")
PY
