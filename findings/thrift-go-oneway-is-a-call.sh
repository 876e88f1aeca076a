#!/usr/bin/env bash
# Apache Thrift 0.25.0 for Go sends a `oneway` method as an ordinary call (message type 1): its library defines ONEWAY (4), and its client never
# writes it. thriftpy2 0.7.1, shown beside it, and Apache's other languages do. Servers go by the method's name and see no difference, but no
# reply ever comes: a proxy, tracer or pairing that goes by the type waits for each of these, and where it pairs by order it takes the
# next method's reply for it. Needs Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q thrift==0.25.0 thriftpy2==0.7.1
cat >go.mod <<'MOD'
module call

go 1.24

require github.com/apache/thrift v0.25.0
MOD
cat >call.go <<'GO'
package main

import (
	"context"
	"os"

	"github.com/apache/thrift/lib/go/thrift"
)

type arguments struct{}

func (arguments) Read(context.Context, thrift.TProtocol) error { return nil }
func (arguments) Write(ctx context.Context, protocol thrift.TProtocol) error {
	_ = protocol.WriteStructBegin(ctx, "fire_args")
	_ = protocol.WriteFieldStop(ctx)
	return protocol.WriteStructEnd(ctx)
}

// What the compiler makes of `oneway void fire()`: a Call whose result is nil.
func main() {
	buffer := thrift.NewTMemoryBuffer()
	protocol := thrift.NewTBinaryProtocolConf(buffer, nil)
	if _, err := thrift.NewTStandardClient(protocol, protocol).Call(context.Background(), "fire", arguments{}, nil); err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(buffer.Bytes())
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o call call.go 2>/dev/null
echo 'service Shop { oneway void fire() }' >shop.thrift
venv/bin/python - <<'PY'
import subprocess

import thriftpy2
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport.TTransport import TMemoryBuffer
from thriftpy2.protocol import TBinaryProtocol as Protocol
from thriftpy2.thrift import TClient
from thriftpy2.transport import TMemoryBuffer as Buffer

NAMES = {number: name for name, number in vars(TMessageType).items() if isinstance(number, int)}
buffer = Buffer()
TClient(thriftpy2.load("shop.thrift", module_name="shop_thrift").Shop, Protocol(buffer)).fire()
found = {}
for library, octets in (("Go", subprocess.run("./call", capture_output=True, check=True).stdout), ("thriftpy2", buffer.getvalue())):
    name, kind, number = TBinaryProtocol(TMemoryBuffer(octets)).readMessageBegin()
    found[library] = NAMES[kind]
    print(f"{library} sends {name} as {NAMES[kind]}: {octets.hex()}")
assert found == {"Go": "CALL", "thriftpy2": "ONEWAY"}
PY
