#!/usr/bin/env bash
# npm thrift 0.24.0, compact protocol: every bool in a list is read as false, whatever was sent, and no error is raised (nor in sets and maps: the
# one readBool is for all). A bool that is a field of a struct is read as it is, and so are lists in the binary protocol. What it writes is
# right (Apache Thrift 0.25.0 for Python writes the same), so a service in Node answers a list of flags that it was given with all of them off.
# Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q thrift==0.25.0
npm install --silent --no-audit --no-fund thrift@0.24.0 >/dev/null
cat >echo.js <<'JS'
// Read {1: list<bool>, 2: bool} in hex, tell it, and write it again.
const { Thrift, TBufferedTransport, TCompactProtocol, TBinaryProtocol } = require("thrift");
const { BOOL, LIST, STOP } = Thrift.Type;
const [name, hex] = process.argv.slice(2);
const Protocol = { TCompactProtocol, TBinaryProtocol }[name];
function read(transport) {
  const protocol = new Protocol(transport);
  const found = {};
  protocol.readStructBegin();
  for (let field = protocol.readFieldBegin(); field.ftype !== STOP; field = protocol.readFieldBegin()) {
    if (field.ftype === BOOL) found.field = protocol.readBool();
    else {
      const { size } = protocol.readListBegin();
      found.list = Array.from({ length: size }, () => protocol.readBool());
      protocol.readListEnd();
    }
    protocol.readFieldEnd();
  }
  protocol.readStructEnd();
  return found;
}
function write({ list, field }) {
  let octets;
  const transport = new TBufferedTransport(null, (written) => (octets = written));
  const protocol = new Protocol(transport);
  protocol.writeStructBegin("Flags");
  protocol.writeFieldBegin("list", LIST, 1);
  protocol.writeListBegin(BOOL, list.length);
  for (const each of list) protocol.writeBool(each);
  protocol.writeListEnd();
  protocol.writeFieldEnd();
  protocol.writeFieldBegin("field", BOOL, 2);
  protocol.writeBool(field);
  protocol.writeFieldEnd();
  protocol.writeFieldStop();
  protocol.writeStructEnd();
  protocol.flush();
  return octets.toString("hex");
}
TBufferedTransport.receiver((transport) => {
  const told = read(transport);
  console.log(JSON.stringify({ told, echo: write(told), own: write({ list: [true, false, true], field: true }) }));
})(Buffer.from(hex, "hex"));
JS
venv/bin/python - <<'PY'
import json, subprocess

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

def written(protocol, flags):
    buffer = TMemoryBuffer()
    writer = protocol(buffer)
    writer.writeStructBegin("Flags")
    writer.writeFieldBegin("list", TType.LIST, 1)
    writer.writeListBegin(TType.BOOL, len(flags))
    for flag in flags:
        writer.writeBool(flag)
    writer.writeListEnd()
    writer.writeFieldEnd()
    writer.writeFieldBegin("field", TType.BOOL, 2)
    writer.writeBool(True)
    writer.writeFieldEnd()
    writer.writeFieldStop()
    writer.writeStructEnd()
    return buffer.getvalue().hex()

for protocol in (TBinaryProtocol, TCompactProtocol):
    sent = written(protocol, [True, False, True])
    node = json.loads(subprocess.run(["node", "echo.js", protocol.__name__, sent], capture_output=True, text=True, check=True).stdout)
    print(f"{protocol.__name__}: Python sent {sent}, Node read {node['told']}, and answers {node['echo']}")
    assert node["own"] == sent and node["told"]["field"] is True
    flags = [True, False, True] if protocol is TBinaryProtocol else [False, False, False]
    assert node["told"]["list"] == flags and node["echo"] == written(protocol, flags)
PY
