#!/usr/bin/env bash
# npm bson 7.3.4 (the MongoDB driver for Node stands on it): a document that is read and written back unchanged is another. A double without a fraction
# becomes an int32, and a 64-bit integer over 32 bits a double, up to 2**53; larger ones stay. Each value is equal, so nothing is lost at first: but
# Java's getLong fails for a Double, BSON of one content has two forms, to hashes as to comparisons of octets, and what pymongo 4.20.1 wrote
# as Int64(5000000000) it reads as the float 5000000000.0. With promoteValues off types stay, which is not the default. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q pymongo==4.20.1
npm install --silent --no-audit --no-fund bson@7.3.4 >/dev/null
cat >again.js <<'JS'
const { deserialize, serialize } = require("bson");
const octets = Buffer.from(process.argv[2], "hex");
for (const promoteValues of [true, false]) console.log(Buffer.from(serialize(deserialize(octets, { promoteValues }))).toString("hex"));
JS
venv/bin/python - <<'PY'
import subprocess
import bson

NAMES = {int: "int32", bson.Int64: "int64", float: "double"}
document = {"price": 2.0, "ratio": 0.5, "count": 7, "milliseconds": bson.Int64(5_000_000_000), "small": bson.Int64(7), "id": bson.Int64(2**60 + 1)}
before = bson.encode(document)
told = subprocess.run(["node", "again.js", before.hex()], capture_output=True, text=True, check=True).stdout.split()
after, kept = (bson.decode(bytes.fromhex(each)) for each in told)
for key, value in document.items():
    print(f"{key:12} {NAMES[type(value)]} {value}: after Node {NAMES[type(after[key])]} {after[key]!r}")
assert after == document == kept and list(map(type, kept.values())) == list(map(type, document.values()))
assert [NAMES[type(value)] for value in after.values()] == ["int32", "double", "int32", "double", "int32", "int64"]
PY
