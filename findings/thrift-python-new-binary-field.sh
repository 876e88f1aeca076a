#!/usr/bin/env bash
# Apache Thrift 0.25.0 for Python: passing over a field that the reader does not know decodes it as UTF-8 where its wire type is string, which
# `binary` has too. So a new optional field of octets (a JPEG, a digest, a protobuf) ends every call to or from an older Python peer with a
# UnicodeDecodeError; text does not. That holds for the protocols in Python. The accelerated ones, in C, pass over the same field: it depends on
# which class was chosen, and on whether the package found a C compiler when it was installed, since they fall back to Python without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q thrift==0.25.0
"$folder/venv/bin/python" - <<'PY'
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated
from thrift.Thrift import TType
from thrift.transport.TTransport import TBufferedTransport, TMemoryBuffer


class Older:
    """What the compiler makes of `struct Older { 1: i32 id }`."""

    thrift_spec = (None, (1, TType.I32, "id", None, None))

    def __init__(self, id=None):
        self.id = id

    def read(self, iprot):
        if iprot._fast_decode is not None and self.thrift_spec is not None:
            iprot._fast_decode(self, iprot, [self.__class__, self.thrift_spec])
            return
        iprot.readStructBegin()
        while True:
            _, kind, number = iprot.readFieldBegin()
            if kind == TType.STOP:
                break
            if number == 1 and kind == TType.I32:
                self.id = iprot.readI32()
            else:
                iprot.skip(kind)
            iprot.readFieldEnd()
        iprot.readStructEnd()


def newer(protocol, octets):
    """`struct Newer { 1: i32 id, 2: optional binary picture }`"""
    buffer = TMemoryBuffer()
    writer = protocol(buffer)
    writer.writeStructBegin("Newer")
    writer.writeFieldBegin("id", TType.I32, 1)
    writer.writeI32(7)
    writer.writeFieldEnd()
    writer.writeFieldBegin("picture", TType.STRING, 2)
    writer.writeBinary(octets)
    writer.writeFieldEnd()
    writer.writeFieldStop()
    writer.writeStructEnd()
    return buffer.getvalue()


def read(protocol, octets):
    older = Older()
    reader = protocol(TBufferedTransport(TMemoryBuffer(octets)))
    try:
        older.read(reader)
    except UnicodeDecodeError as error:
        return f"UnicodeDecodeError: {error}"
    return older.id


for plain, fast in ((TBinaryProtocol, TBinaryProtocolAccelerated), (TCompactProtocol, TCompactProtocolAccelerated)):
    text, picture = newer(plain, b"text"), newer(plain, b"\xff\xd8\xff\xe0")
    assert fast(TBufferedTransport(TMemoryBuffer()))._fast_decode is not None, "installed without its extension in C"
    for protocol in (plain, fast):
        print(f"{protocol.__name__}: a new field of text -> {read(protocol, text)}, of octets -> {read(protocol, picture)}")
        assert read(protocol, text) == 7
        assert read(protocol, picture) == 7 if protocol is fast else read(protocol, picture).startswith("UnicodeDecodeError")
PY
