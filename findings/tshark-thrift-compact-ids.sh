#!/usr/bin/env bash
# tshark 4.0.17: the sequence id of a message in Thrift's compact protocol is shown in zigzag, 11 as -6. Apache Thrift writes it as a plain varint
# (thrift-compact-protocol.md: "a signed 32 bit integer encoded as a var int"); binary's is shown as it is. Needs tshark and text2pcap.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q thrift==0.25.0
"$work/venv/bin/python" - "$work" <<'PY'
import subprocess
import sys
from pathlib import Path

from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer

work = Path(sys.argv[1])
print(subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
shown = {}
for name, protocol in (("binary", TBinaryProtocol.TBinaryProtocol), ("compact", TCompactProtocol.TCompactProtocol)):
    memory = TMemoryBuffer()
    writer = protocol(TFramedTransport(memory))
    writer.writeMessageBegin("hello", 1, 11)
    writer.writeStructBegin("none")
    writer.writeFieldStop()
    writer.writeStructEnd()
    writer.writeMessageEnd()
    writer.trans.flush()
    dump = "0000 " + memory.getvalue().hex(" ") + "\n"
    subprocess.run(["text2pcap", "-q", "-T", "50000,9090", "-", work / name], input=dump.encode(), check=True, stderr=subprocess.DEVNULL)
    command = ["tshark", "-r", work / name, "-d", "tcp.port==9090,thrift", "-T", "fields", "-e", "thrift.method", "-e", "thrift.seq_id"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    shown[name] = said[-1]
    print(f"{name}: written with sequence id 11, {memory.getvalue().hex()}, shown as {said}")
assert shown == {"binary": "11", "compact": "-6"}, shown
PY
