#!/usr/bin/env bash
# Apache Thrift 0.25.0 for Java reads a uuid, and writes lists, sets and maps of them, but reads none: "unrecognized type code", in binary, compact
# and JSON, whether Python (thrift 0.25.0) or Java itself wrote it. Before it reads a container it asks how small an element can be, and the
# table for that was not told of uuid. A server closes the connection without a reply. A test of one uuid passes. Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q thrift==0.25.0
for artifact in org.apache.thrift:libthrift:0.25.0 org.slf4j:slf4j-api:2.0.17; do
    mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$artifact" -DoutputDirectory=lib
done
cat >Ids.java <<'JAVA'
import java.util.Arrays;
import java.util.HexFormat;
import java.util.UUID;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TCompactProtocol;
import org.apache.thrift.protocol.TField;
import org.apache.thrift.protocol.TJSONProtocol;
import org.apache.thrift.protocol.TList;
import org.apache.thrift.protocol.TMap;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TSet;
import org.apache.thrift.protocol.TStruct;
import org.apache.thrift.protocol.TType;
import org.apache.thrift.transport.TMemoryBuffer;
import org.apache.thrift.transport.TMemoryInputTransport;
import org.apache.thrift.transport.TTransport;

public class Ids {
    static TProtocol over(String name, TTransport transport) {
        return switch (name) {
            case "binary" -> new TBinaryProtocol(transport);
            case "compact" -> new TCompactProtocol(transport);
            default -> new TJSONProtocol(transport);
        };
    }

    /** Read a struct of one field: a uuid, or what holds one. */
    static String read(String name, byte[] octets) {
        try {
            TProtocol protocol = over(name, new TMemoryInputTransport(octets));
            protocol.readStructBegin();
            TField field = protocol.readFieldBegin();
            switch (field.type) {
                case TType.LIST -> protocol.readListBegin();
                case TType.SET -> protocol.readSetBegin();
                case TType.MAP -> {
                    protocol.readMapBegin();
                    protocol.readI32();
                }
            }
            return protocol.readUuid().toString();
        } catch (TException error) {
            return error.getMessage();
        }
    }

    static byte[] write(String name, UUID id) throws TException {
        TMemoryBuffer buffer = new TMemoryBuffer(64);
        TProtocol protocol = over(name, buffer);
        protocol.writeStructBegin(new TStruct("Ids"));
        protocol.writeFieldBegin(new TField("ids", TType.LIST, (short) 1));
        protocol.writeListBegin(new TList(TType.UUID, 1));
        protocol.writeUuid(id);
        protocol.writeListEnd();
        protocol.writeFieldEnd();
        protocol.writeFieldStop();
        protocol.writeStructEnd();
        return Arrays.copyOf(buffer.getArray(), buffer.length());
    }

    public static void main(String[] arguments) throws TException {
        String name = arguments[0];
        for (int index = 1; index < arguments.length; index++) System.out.println(read(name, HexFormat.of().parseHex(arguments[index])));
        byte[] own = write(name, UUID.fromString(read(name, HexFormat.of().parseHex(arguments[1]))));
        System.out.println(HexFormat.of().formatHex(own) + " " + read(name, own));
    }
}
JAVA
javac -cp 'lib/*' Ids.java
venv/bin/python - <<'PY'
import subprocess, uuid

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

ID = uuid.UUID("11223344-5566-7788-99aa-bbccddeeff00")


def written(protocol, kind):
    buffer = TMemoryBuffer()
    writer = protocol(buffer)
    writer.writeStructBegin("Ids")
    writer.writeFieldBegin("ids", kind, 1)
    if kind == TType.LIST:
        writer.writeListBegin(TType.UUID, 1)
    elif kind == TType.SET:
        writer.writeSetBegin(TType.UUID, 1)
    elif kind == TType.MAP:
        writer.writeMapBegin(TType.I32, TType.UUID, 1)
        writer.writeI32(5)
    writer.writeUuid(ID)
    {TType.LIST: writer.writeListEnd, TType.SET: writer.writeSetEnd, TType.MAP: writer.writeMapEnd}.get(kind, lambda: None)()
    writer.writeFieldEnd()
    writer.writeFieldStop()
    writer.writeStructEnd()
    return buffer.getvalue()


for name, protocol in (("binary", TBinaryProtocol), ("compact", TCompactProtocol), ("json", TJSONProtocol)):
    sent = [written(protocol, kind) for kind in (TType.UUID, TType.LIST, TType.SET, TType.MAP)]
    command = ["java", "-cp", "lib/*:.", "Ids", name, *(octets.hex() for octets in sent)]
    one, *held, own = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    print(f"{name}: of Python, one uuid -> {one}; list, set, map -> {held}; Java's own list -> {own.partition(' ')[2]}")
    assert one == str(ID) and held == ["unrecognized type code"] * 3
    assert own == f"{sent[1].hex()} unrecognized type code"
PY
