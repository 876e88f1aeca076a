#!/usr/bin/env bash
# thriftpy2 0.7.1: TApacheJSONProtocol, which is there to speak with Apache's TJSONProtocol, writes no list of lists: IndexError, whatever
# is in it. A list of strings is written. Apache's own protocol (thrift 0.25.0) writes both, as {"lst":["lst",1,["str",1,"a"]]}.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q thriftpy2==0.7.1 thrift==0.25.0
cat >"$folder/lists.thrift" <<'IDL'
struct Flat { 1: list<string> names }
struct Nested { 1: list<list<string>> names }
IDL
"$folder/venv/bin/python" - "$folder/lists.thrift" <<'PY'
import sys

import thriftpy2
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer as ApacheBuffer
from thriftpy2.protocol.apache_json import TApacheJSONProtocol
from thriftpy2.transport import TMemoryBuffer

module = thriftpy2.load(sys.argv[1], module_name="lists_thrift")


def written(value):
    buffer = TMemoryBuffer()
    protocol = TApacheJSONProtocol(buffer)
    protocol.write_message_begin("m", 1, 0)
    try:
        protocol.write_struct(value)
    except IndexError as error:
        return f"IndexError: {error}"
    protocol.write_message_end()
    return buffer.getvalue().decode()


buffer = ApacheBuffer()
apache = TJSONProtocol(buffer)
apache.writeMessageBegin("m", 1, 0)
apache.writeStructBegin("Nested")
apache.writeFieldBegin("names", TType.LIST, 1)
apache.writeListBegin(TType.LIST, 1)
apache.writeListBegin(TType.STRING, 1)
apache.writeString("a")
apache.writeListEnd()
apache.writeListEnd()
apache.writeFieldEnd()
apache.writeFieldStop()
apache.writeStructEnd()
apache.writeMessageEnd()
flat, nested = written(module.Flat(names=["a"])), written(module.Nested(names=[["a"]]))
print("thriftpy2 0.7.1, list of strings:", flat)
print("thriftpy2 0.7.1, list of lists:  ", nested)
print("thrift 0.25.0, list of lists:    ", buffer.getvalue().decode())
assert '"lst"' in flat
assert nested.startswith("IndexError")
assert b'"lst"' in buffer.getvalue()
PY
