#!/usr/bin/env bash
# OpenTelemetry's baggage between languages: Python (opentelemetry-api 1.45.2) writes a space as "+", as forms do, and reads "+" as a space.
# JavaScript (@opentelemetry/core 2.12.1) and Go (otel 1.47.0) write %20 and leave "+" as it is, as W3C Baggage says (percent-encoding; "+"
# stands for itself). So "a b" of a Python service is "a+b" for the others, and Go's "1+1" is "1 1" for Python. Each language reads its own
# back whole, so no test of one service shows it. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q opentelemetry-api==1.45.2
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/core@2.12.1 >/dev/null
cat >peer.py <<'PY'
import sys
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

carrier = {}
if sys.argv[1] == "write":
    W3CBaggagePropagator().inject(carrier, baggage.set_baggage("k", sys.argv[2]))
    print(carrier["baggage"])
else:
    print(baggage.get_baggage("k", W3CBaggagePropagator().extract({"baggage": sys.argv[2]})))
PY
cat >peer.js <<'JS'
const { W3CBaggagePropagator } = require("@opentelemetry/core");
const { ROOT_CONTEXT, propagation, defaultTextMapGetter, defaultTextMapSetter } = require("@opentelemetry/api");
const [task, text] = process.argv.slice(2);
if (task === "write") {
  const carrier = {};
  const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ k: { value: text } }));
  new W3CBaggagePropagator().inject(context, carrier, defaultTextMapSetter);
  console.log(carrier.baggage);
} else {
  const context = new W3CBaggagePropagator().extract(ROOT_CONTEXT, { baggage: text }, defaultTextMapGetter);
  console.log(propagation.getBaggage(context).getEntry("k").value);
}
JS
cat >go.mod <<'MOD'
module peer

go 1.24

require go.opentelemetry.io/otel v1.47.0
MOD
cat >peer.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

func main() {
	carrier := propagation.MapCarrier{}
	if os.Args[1] == "write" {
		member, err := baggage.NewMemberRaw("k", os.Args[2])
		if err != nil {
			panic(err)
		}
		bag, _ := baggage.New(member)
		propagation.Baggage{}.Inject(baggage.ContextWithBaggage(context.Background(), bag), carrier)
		fmt.Println(carrier["baggage"])
	} else {
		carrier["baggage"] = os.Args[2]
		read := propagation.Baggage{}.Extract(context.Background(), carrier)
		fmt.Println(baggage.FromContext(read).Member("k").Value())
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o peer peer.go 2>/dev/null
venv/bin/python - <<'PY'
import subprocess

PEERS = {"python": ["venv/bin/python", "peer.py"], "javascript": ["node", "peer.js"], "go": ["./peer"]}

def told(peer, task, text):
    return subprocess.run([*PEERS[peer], task, text], capture_output=True, text=True, check=True).stdout.rstrip("\n")

found = {}
for text in ("a b", "1+1"):
    for writer in PEERS:
        header = told(writer, "write", text)
        read = {reader: told(reader, "read", header) for reader in PEERS}
        found[text, writer] = (header, read)
        print(f"{text!r} of {writer}: {header}, read as {read}")
        assert read[writer] == text
assert found["a b", "python"] == ("k=a+b", {"python": "a b", "javascript": "a+b", "go": "a+b"})
assert found["1+1", "go"] == ("k=1+1", {"python": "1 1", "javascript": "1+1", "go": "1+1"})
assert found["a b", "go"][0] == found["a b", "javascript"][0] == "k=a%20b"
PY
