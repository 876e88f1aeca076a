#!/usr/bin/env bash
# Apache Avro 1.12.2 for Python, logical type decimal: a number with fewer places than the schema's scale is written by its digits alone, so with
# scale 2, 1.5 becomes 0.15, 100 becomes 1, and Decimal("1E+2") 0.01. No error: the digits are within the precision. It depends on how the number
# was written down, Decimal("1.50") is right, so prices from a database with two places pass a test, and those that were computed do not.
# The specification has the unscaled integer, value × 10^scale, as fastavro 1.13.1 writes it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q avro==1.12.2 fastavro==1.13.1
"$folder/venv/bin/python" - <<'PY'
import io, json
from decimal import Decimal

import avro.io, avro.schema, fastavro

schema = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}

def by_avro(number):
    octets = io.BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(number, avro.io.BinaryEncoder(octets))
    return octets.getvalue()

def by_fastavro(number):
    octets = io.BytesIO()
    fastavro.schemaless_writer(octets, schema, number)
    return octets.getvalue()

def read(octets):
    by_both = (
        fastavro.schemaless_reader(io.BytesIO(octets), schema),
        avro.io.DatumReader(avro.schema.parse(json.dumps(schema))).read(avro.io.BinaryDecoder(io.BytesIO(octets))),
    )
    assert by_both[0] == by_both[1]
    return by_both[0]

stored = {}
for text in ("1.50", "1.5", "-1.5", "100", "1E+2", "0.05"):
    number = Decimal(text)
    assert read(by_fastavro(number)) == number
    stored[text] = read(by_avro(number))
    print(f"{text:>5}: fastavro writes {by_fastavro(number).hex():8} avro writes {by_avro(number).hex():8} which is {stored[text]}")
assert stored == {
    "1.50": Decimal("1.50"), "1.5": Decimal("0.15"), "-1.5": Decimal("-0.15"),
    "100": Decimal("1.00"), "1E+2": Decimal("0.01"), "0.05": Decimal("0.05"),
}
PY
