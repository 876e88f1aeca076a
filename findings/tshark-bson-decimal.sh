#!/usr/bin/env bash
# tshark 4.0.17 does not know BSON's decimal (type 0x13), which MongoDB has had since 2016, and does not pass over it either: it goes on within the
# 16 octets of the number as if the next element began there. The price below is "Unknown", and behind it stand elements that nobody sent, and
# "Malformed Packet", while what was sent, `count`, is not shown. pymongo 4.20.1, which wrote the message, reads it. With a double in its place
# all is shown. Needs tshark and text2pcap.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pymongo==4.20.1
"$work/venv/bin/python" - "$work" <<'PY'
import struct
import subprocess
import sys
from pathlib import Path

import bson

work = Path(sys.argv[1])
print(subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
fields = ["mongo.element.name", "mongo.element.type"]
shown = {}
for price in (1.5, bson.Decimal128("1.5")):
    sent = {"price": price, "count": 3}
    document = bson.encode(sent)
    assert bson.decode(document) == sent
    # OP_MSG: no flags, one section of kind 0.
    section = struct.pack("<IB", 0, 0) + document
    message = struct.pack("<iiii", 16 + len(section), 1, 0, 2013) + section
    dump = "0000 " + message.hex(" ") + "\n"
    subprocess.run(["text2pcap", "-q", "-T", "50000,27017", "-", work / "pcap"], input=dump.encode(), check=True, stderr=subprocess.DEVNULL)
    command = ["tshark", "-r", work / "pcap", "-d", "tcp.port==27017,mongo", "-T", "fields", "-E", "aggregator=,", "-e", "_ws.malformed"]
    told = subprocess.run([*command, *(f"-e{field}" for field in fields)], capture_output=True, text=True, check=True).stdout
    malformed, names, types = told.rstrip("\n").split("\t")
    shown[type(price)] = names.split(","), bool(malformed)
    print(f"{sent}: elements {names.split(',')} of types {types}{', malformed' if malformed else ''}")
assert shown[float] == (["price", "count"], False)
names, malformed = shown[bson.Decimal128]
assert names[0] == "price" and "count" not in names and len(names) > 2 and malformed
PY
