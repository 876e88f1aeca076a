#!/usr/bin/env bash
# Apache Thrift 0.25.0 for Python, TJSONProtocol: a double that is NaN or infinite is written as bare nan, inf or -inf, which is no JSON, and which
# the same class cannot read ("Bad data encounted in numeric data"). It does read "NaN" and "Infinity", the strings that Apache's Java, Go
# and C++ write. So one empty average in an answer fails the whole call, at the peer, and with binary or compact in its place it does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q thrift==0.25.0
"$folder/venv/bin/python" - <<'PY'
import json, math

from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer


def written(protocol, number):
    buffer = TMemoryBuffer()
    writer = protocol(buffer)
    writer.writeStructBegin("Answer")
    writer.writeFieldBegin("average", TType.DOUBLE, 1)
    writer.writeDouble(number)
    writer.writeFieldEnd()
    writer.writeFieldStop()
    writer.writeStructEnd()
    return buffer.getvalue()


def read(protocol, octets):
    reader = protocol(TMemoryBuffer(octets))
    reader.readStructBegin()
    reader.readFieldBegin()
    try:
        return reader.readDouble()
    except TProtocolException as error:
        return str(error)


def is_json(octets):
    try:
        return bool(json.loads(octets))
    except ValueError:
        return False


for number, quoted in ((1.5, b"1.5"), (math.nan, b'"NaN"'), (math.inf, b'"Infinity"'), (-math.inf, b'"-Infinity"')):
    octets, others = written(TJSONProtocol, number), b'{"1":{"dbl":' + quoted + b"}}"
    own, of_others = read(TJSONProtocol, octets), read(TJSONProtocol, others)
    print(f"{number}: written as {octets.decode()}, read back: {own}; {others.decode()} is read: {of_others}")
    assert repr(of_others) == repr(read(TCompactProtocol, written(TCompactProtocol, number))) == repr(number)
    if math.isfinite(number):
        assert own == number and is_json(octets)
    else:
        assert octets == f'{{"1":{{"dbl":{number}}}}}'.encode() and not is_json(octets)
        assert own == "Bad data encounted in numeric data"
PY
