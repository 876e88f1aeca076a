#!/usr/bin/env bash
# Integers over 32 bits, such as a time in milliseconds, are written as floats by some encoders for JavaScript: msgpackr 2.1.4 and cbor-x 1.6.9 always,
# @msgpack/msgpack 3.1.3 as soon as `useBigInt64` is on, which is there to keep 64-bit integers whole. msgpack5 6.1.0 and cbor 10.0.12 write integers, as
# @msgpack/msgpack does without the option. Smaller ones are integers everywhere, so a counter changes its type as it grows. Readers into an int64
# in Go refuse the float, vmihailenco/msgpack 5.4.1, tinylib/msgp 1.6.5 and fxamacker/cbor 2.10.0; Python's give 1733000000000.0. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q msgpack==1.2.4 cbor2==6.3.0
npm install --silent --no-audit --no-fund msgpackr@2.1.4 cbor-x@1.6.9 @msgpack/msgpack@3.1.3 msgpack5@6.1.0 cbor@10.0.12 >/dev/null
cat >write.js <<'JS'
const { encode } = require("@msgpack/msgpack");
const writers = {
  "msgpackr (msgpack)": require("msgpackr").pack,
  "@msgpack/msgpack (msgpack)": encode,
  "@msgpack/msgpack useBigInt64 (msgpack)": (value) => encode(value, { useBigInt64: true }),
  "msgpack5 (msgpack)": (value) => require("msgpack5")().encode(value).slice(),
  "cbor-x (cbor)": require("cbor-x").encode,
  "cbor (cbor)": require("cbor").encode,
};
for (const name in writers)
  for (const value of [4294967295, 4294967296, 1733000000000]) console.log(`${name}\t${value}\t${Buffer.from(writers[name](value)).toString("hex")}`);
JS
cat >go.mod <<'MOD'
module read

go 1.25

require (
	github.com/fxamacker/cbor/v2 v2.10.0
	github.com/tinylib/msgp v1.6.5
	github.com/vmihailenco/msgpack/v5 v5.4.1
)
MOD
cat >read.go <<'GO'
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/tinylib/msgp/msgp"
	"github.com/vmihailenco/msgpack/v5"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		octets, _ := hex.DecodeString(parts[2])
		var number int64
		if strings.Contains(parts[0], "(cbor)") {
			err := cbor.Unmarshal(octets, &number)
			fmt.Println(number, err == nil)
			continue
		}
		err := msgpack.Unmarshal(octets, &number)
		other, _, failed := msgp.ReadInt64Bytes(octets)
		fmt.Println(number, err == nil && failed == nil && other == number)
		if (err == nil) != (failed == nil) {
			panic("the two differ")
		}
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o read read.go 2>/dev/null
node write.js >written
./read <written >read.txt
venv/bin/python - <<'PY'
import cbor2, msgpack

found = {}
for line, told in zip(open("written"), open("read.txt"), strict=True):
    name, value, octets = line.rstrip("\n").split("\t")
    reader = cbor2.loads if "(cbor)" in name else msgpack.unpackb
    read = reader(bytes.fromhex(octets))
    print(f"{name:39} {value:>13} is {octets:18} Python: {read!r}, Go: {told.strip()}")
    assert read == int(value)
    assert told.split()[1] == ("true" if type(read) is int else "false")
    found.setdefault(name, []).append(type(read))
wide = {name for name, types in found.items() if types == [int, float, float]}
assert wide == {"msgpackr (msgpack)", "cbor-x (cbor)", "@msgpack/msgpack useBigInt64 (msgpack)"}
assert all(types == [int, int, int] for name, types in found.items() if name not in wide)
PY
