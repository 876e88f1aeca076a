#!/usr/bin/env bash
# Avro's specification ("Names"): of a record that is named "shop.v1.Sale" and has a `namespace` as well, the namespace is ignored, and what it
# holds is in shop.v1. So do avro 1.12.2 and fastavro 1.13.1 for Python and hamba/avro 2.31.0 for Go. avsc 5.7.9 (Node) and goavro 2.15.0 (Go) put
# the types within into that namespace: "old.Item". Octets and records are the same, so it is seen late: with a reader's schema that has the
# field in a union, names must match, and avsc ends with 'cannot read "old.Item"'. goavro's canonical form has a second turn: a record with a
# namespace of its own within another gets both, "a.b.Item" for b.Item, though its own decoder says b.Item. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q avro==1.12.2 fastavro==1.13.1
npm install --silent --no-audit --no-fund avsc@5.7.9 >/dev/null
cat >avsc.js <<'JS'
const { Type } = require("avsc");
const schemas = require("fs").readFileSync("schemas", "utf8").split("\n").map((line) => JSON.parse(line));
for (const schema of schemas.slice(0, 2)) console.log(JSON.stringify(Type.forSchema(schema).schema()));
try {
  Type.forSchema(schemas[2]).createResolver(Type.forSchema(schemas[0]));
  console.log("resolved");
} catch (error) {
  console.log(error.message);
}
JS
cat >go.mod <<'MOD'
module canonical

go 1.25

require (
	github.com/hamba/avro/v2 v2.31.0
	github.com/linkedin/goavro/v2 v2.15.0
)
MOD
cat >canonical.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
)

func main() {
	schemas, _ := os.ReadFile("schemas")
	for _, line := range strings.Split(string(schemas), "\n")[:2] {
		parsed, err := avro.ParseWithCache(line, "", &avro.SchemaCache{})
		if err != nil {
			panic(err)
		}
		codec, err := goavro.NewCodec(line)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n%s\n", parsed, codec.CanonicalSchema())
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o canonical canonical.go 2>/dev/null
venv/bin/python - <<'PY'
import io, json, subprocess
import avro.schema
from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import to_parsing_canonical_form

item = {"type": "record", "name": "Item", "fields": [{"name": "number", "type": "int"}]}
dotted = {"type": "record", "name": "shop.v1.Sale", "namespace": "old", "fields": [{"name": "item", "type": item}]}
inner = {"type": "record", "name": "Sale", "namespace": "a", "fields": [{"name": "item", "type": item | {"namespace": "b"}}]}
named = item | {"name": "shop.v1.Item"}
reading = {"type": "record", "name": "shop.v1.Sale", "fields": [{"name": "item", "type": ["null", named]}]}
with open("schemas", "w") as file:
    file.write("\n".join(map(json.dumps, (dotted, inner, reading))))

def told_by(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

*by_avsc, resolved = told_by("node", "avsc.js")
by_go = told_by("./canonical")
found = {
    "fastavro": [to_parsing_canonical_form(each) for each in (dotted, inner)],
    "avro": [avro.schema.parse(json.dumps(each)).canonical_form for each in (dotted, inner)],
    "hamba": by_go[::2],
    "avsc": by_avsc,
    "goavro": by_go[1::2],
}
names = {library: [json.loads(form)["fields"][0]["type"]["name"] for form in forms] for library, forms in found.items()}
print("named:   ", dotted["name"], "with namespace", dotted["namespace"], "| a.Sale with b.Item")
for library, both in names.items():
    print(f"{library:9} {both[0]:18} {both[1]}")
assert names["fastavro"] == names["avro"] == names["hamba"] == ["shop.v1.Item", "b.Item"]
assert names["avsc"] == ["old.Item", "b.Item"] and names["goavro"] == ["old.Item", "a.b.Item"]
octets = io.BytesIO()
schemaless_writer(octets, dotted, {"item": {"number": 3}})
octets.seek(0)
print("fastavro, by the newer schema:", record := schemaless_reader(octets, dotted, reading))
print("avsc, by the newer schema:    ", resolved)
assert record == {"item": {"number": 3}} and resolved.startswith('cannot read "old.Item"')
PY
