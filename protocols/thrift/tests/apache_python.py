"""A client and a server of Apache Thrift for Python, without generated code: methods are told apart by their names alone."""

from __future__ import annotations

import socket
import threading
from typing import Any

from thrift.protocol import TBinaryProtocol, TCompactProtocol, THeaderProtocol, TJSONProtocol
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.transport import THeaderTransport, TSocket, TTransport, TZlibTransport

PROTOCOLS: dict[str, Any] = {
    "binary": TBinaryProtocol.TBinaryProtocol,
    "old-binary": lambda transport: TBinaryProtocol.TBinaryProtocol(transport, strictRead=False, strictWrite=False),
    "compact": TCompactProtocol.TCompactProtocol,
    "json": TJSONProtocol.TJSONProtocol,
}
TRANSPORTS: dict[str, Any] = {
    "unframed": TTransport.TBufferedTransport,
    "framed": TTransport.TFramedTransport,
    "zlib": lambda transport: TTransport.TBufferedTransport(TZlibTransport.TZlibTransport(transport)),
}
CALLS = ("hello", "nothing", "fire", "declared", "notThere", "failing", "hello")


def protocol_of(end: Any, transport: str, encoding: str) -> Any:
    if transport == "header":
        number = {"binary": 0, "compact": 2}[encoding]
        made = THeaderProtocol.THeaderProtocol(
            end, [THeaderTransport.THeaderClientType.HEADERS], default_protocol=number
        )
        return made
    return PROTOCOLS[encoding](TRANSPORTS[transport](end))


def write(protocol: Any, name: str, kind: int, seqid: int, field: int = -1) -> None:
    """A message with a string in `field`, or with none."""
    protocol.writeMessageBegin(name, kind, seqid)
    protocol.writeStructBegin("any")
    if field >= 0:
        protocol.writeFieldBegin("any", TType.STRING, field)
        protocol.writeString("déjà vu " * 20)
        protocol.writeFieldEnd()
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()
    protocol.trans.flush()


def serve(listener: socket.socket, transport: str, encoding: str) -> None:
    """Answer one connection to its end."""
    handle, _ = listener.accept()
    end = TSocket.TSocket()
    end.setHandle(handle)
    protocol = protocol_of(end, transport, encoding)
    try:
        while True:
            name, _kind, seqid = protocol.readMessageBegin()
            protocol.skip(TType.STRUCT)
            protocol.readMessageEnd()
            name = name.rpartition(":")[2]
            if name == "fire":
                continue
            if name in ("notThere", "failing"):
                error = TApplicationException(1 if name == "notThere" else 6, f"no {name}")
                protocol.writeMessageBegin(name, TMessageType.EXCEPTION, seqid)
                error.write(protocol)
                protocol.writeMessageEnd()
                protocol.trans.flush()
            else:
                write(protocol, name, TMessageType.REPLY, seqid, {"hello": 0, "declared": 1}.get(name, -1))
    except (TTransport.TTransportException, EOFError):
        pass
    finally:
        handle.close()


def talk(host: str, port: int, transport: str, encoding: str, service: str = "") -> list[str]:
    """Call everything; what came of each."""
    end = TSocket.TSocket(host, port)
    end.open()
    protocol = protocol_of(end, transport, encoding)
    said: list[str] = []
    for number, name in enumerate(CALLS):
        kind = TMessageType.ONEWAY if name == "fire" else TMessageType.CALL
        write(protocol, f"{service}:{name}" if service else name, kind, number if service else 0, 1)
        if name == "fire":
            said.append("oneway")
            continue
        answered, kind, _seqid = protocol.readMessageBegin()
        assert answered == name
        if kind == TMessageType.EXCEPTION:
            error = TApplicationException()
            error.read(protocol)
            said.append(f"{error.type} {error.message}")
        else:
            protocol.readStructBegin()
            _, type_id, field = protocol.readFieldBegin()
            said.append("empty" if type_id == TType.STOP else f"field {field}")
            if type_id != TType.STOP:
                protocol.skip(type_id)
                protocol.readFieldEnd()
                assert protocol.readFieldBegin()[1] == TType.STOP
            protocol.readStructEnd()
        protocol.readMessageEnd()
    end.close()
    return said


def server(transport: str, encoding: str) -> tuple[int, threading.Thread]:
    """A server of one connection: its port, and what ends with it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def run() -> None:
        with listener:
            serve(listener, transport, encoding)

    thread = threading.Thread(target=run)
    thread.start()
    return listener.getsockname()[1], thread
