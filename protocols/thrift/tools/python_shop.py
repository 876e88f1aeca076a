"""A service with clients and servers of Python: ``python python_shop.py LIBRARY PORT TRANSPORT ENCODING NAME``.

The libraries are ``apache`` (Apache Thrift, which reads and writes structs in C where the encoding has that) and ``thriftpy2``.
Transports are unframed, framed, header and zlib, encodings binary, compact and json. The server has a thread for each connection, says in
its values which it is by NAME, and prints the one-way calls that it gets.

    string hello(1: string name)    string echo(1: string text)    void nothing()    string slow(1: string name, 2: i32 ms)
    string failing(1: string how) throws (1: Gone gone)    oneway void fire(1: string name)
"""

from __future__ import annotations

import io
import sys
import time
from typing import Any

import thriftpy2
from thrift.protocol import TBinaryProtocol, TCompactProtocol, THeaderProtocol, TJSONProtocol
from thrift.protocol.TBase import TBase, TExceptionBase
from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TApplicationException, TMessageType, TProcessor, TType
from thrift.transport import THeaderTransport, TSocket, TTransport, TZlibTransport
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.server import TThreadedServer as TThreadedServer2
from thriftpy2.thrift import TClient as TClient2
from thriftpy2.thrift import TProcessor as TProcessor2
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory, TServerSocket
from thriftpy2.transport import TSocket as TSocket2

HOST = "127.0.0.1"
IDL = """
exception Gone { 1: string why }
service Shop {
    string hello(1: string name)
    string echo(1: string text)
    void nothing()
    string slow(1: string name, 2: i32 ms)
    string failing(1: string how) throws (1: Gone gone)
    oneway void fire(1: string name)
}
"""
SHOP: Any = thriftpy2.load_fp(io.StringIO(IDL), "shop_thrift")
METHODS = ("hello", "echo", "nothing", "slow", "failing", "fire")


def struct(
    name: str, *fields: tuple[int, str], base: type = TBase, kind: int = TType.STRUCT, inside: Any = None
) -> Any:
    """What Apache's compiler makes of a struct whose fields are strings, or i32 where they are called ms."""
    spec: list[Any] = [None] * (max((number for number, _ in fields), default=-1) + 1)
    for number, field in fields:
        if field == "gone":
            spec[number] = (number, TType.STRUCT, field, [inside, inside.thrift_spec], None)
        elif field == "ms":
            spec[number] = (number, TType.I32, field, None, None)
        else:
            spec[number] = (number, TType.STRING, field, "UTF8", None)
    names = tuple(field for _, field in fields)

    def begin(self: Any, *values: Any, **named: Any) -> None:
        given = {**dict(zip(names, values, strict=False)), **named}
        for each in names:
            setattr(self, each, given.get(each))

    return type(name, (base,), {"__init__": begin, "__slots__": names, "thrift_spec": tuple(spec)})


class GoneBase(TExceptionBase):
    """What the exception is made of."""

    __slots__ = ()


Gone = struct("Gone", (1, "why"), base=GoneBase)
ARGUMENTS = {
    "hello": struct("hello_args", (1, "name")),
    "echo": struct("echo_args", (1, "text")),
    "nothing": struct("nothing_args"),
    "slow": struct("slow_args", (1, "name"), (2, "ms")),
    "failing": struct("failing_args", (1, "how")),
    "fire": struct("fire_args", (1, "name")),
}
RESULTS = {
    name: struct(f"{name}_result", *fields, inside=Gone)
    for name, fields in {
        "hello": ((0, "success"),),
        "echo": ((0, "success"),),
        "nothing": (),
        "slow": ((0, "success"),),
        "failing": ((0, "success"), (1, "gone")),
    }.items()
}


class Handler:
    """The service."""

    def __init__(self, name: str, gone: Any) -> None:
        self._name = name
        self._gone = gone

    def hello(self, name: str) -> str:
        return f"{self._name}: {name}"

    def echo(self, text: str) -> str:
        return text

    def nothing(self) -> None:
        return None

    def slow(self, name: str, ms: int) -> str:
        time.sleep(ms / 1000)
        return f"{self._name}: {name}"

    def failing(self, how: str) -> str:
        raise self._gone(why="sold") if how == "declared" else RuntimeError("secret")

    def fire(self, name: str) -> None:
        print(name, flush=True)


class Processor(TProcessor):
    """As Apache's compiler writes it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def process(self, iprot: Any, oprot: Any) -> bool:
        name, kind, seqid = iprot.readMessageBegin()
        name = name.rpartition(":")[2]
        if name not in ARGUMENTS:
            iprot.skip(TType.STRUCT)
            iprot.readMessageEnd()
            error = TApplicationException(TApplicationException.UNKNOWN_METHOD, f"Unknown function {name}")
            self._write(oprot, name, TMessageType.EXCEPTION, seqid, error)
            return True
        arguments = ARGUMENTS[name]()
        arguments.read(iprot)
        iprot.readMessageEnd()
        given = [getattr(arguments, each) for each in arguments.__slots__]
        if name == "fire":
            self._handler.fire(*given)
            return True
        kind, result = TMessageType.REPLY, RESULTS[name]()
        try:
            value = getattr(self._handler, name)(*given)
            if name != "nothing":
                result.success = value
        except Gone as gone:
            result.gone = gone
        except Exception:
            kind, result = TMessageType.EXCEPTION, TApplicationException(6, "Internal error")
        self._write(oprot, name, kind, seqid, result)
        return True

    def _write(self, protocol: Any, name: str, kind: int, seqid: int, what: Any) -> None:
        protocol.writeMessageBegin(name, kind, seqid)
        what.write(protocol)
        protocol.writeMessageEnd()
        protocol.trans.flush()


class ApacheClient:
    """As Apache's compiler writes it; `one_way` is the type that one-way calls are written as: Go writes calls."""

    def __init__(self, port: int, transport: str, encoding: str, service: str = "", one_way: int = TMessageType.ONEWAY):
        self._socket = TSocket.TSocket(HOST, port)
        self._socket.setTimeout(30_000)
        self._protocol = apache_protocol(self._socket, transport, encoding)
        self._socket.open()
        self._prefix = f"{service}:" if service else ""
        self._one_way = one_way

    def close(self) -> None:
        self._socket.close()

    def send(self, name: str, *given: Any, seqid: int = 0) -> None:
        """Write a call."""
        kind = self._one_way if name == "fire" else TMessageType.CALL
        self._protocol.writeMessageBegin(self._prefix + name, kind, seqid)
        ARGUMENTS.get(name, ARGUMENTS["hello"])(*given).write(self._protocol)
        self._protocol.writeMessageEnd()
        self._protocol.trans.flush()

    def receive(self, name: str, seqid: int = 0) -> Any:
        """Read its answer. Raises `TApplicationException`, and `Gone`."""
        said, kind, number = self._protocol.readMessageBegin()
        if kind == TMessageType.EXCEPTION:
            error = TApplicationException()
            error.read(self._protocol)
            self._protocol.readMessageEnd()
            assert (said, number) == (name, seqid)
            raise error
        assert (said, kind, number) == (name, TMessageType.REPLY, seqid)
        result = RESULTS[name]()
        result.read(self._protocol)
        self._protocol.readMessageEnd()
        if getattr(result, "gone", None) is not None:
            raise result.gone
        return getattr(result, "success", None)

    def call(self, name: str, *given: Any, seqid: int = 0) -> Any:
        """Call, and return what is answered, if anything is."""
        self.send(name, *given, seqid=seqid)
        return None if name == "fire" else self.receive(name, seqid)


class Thriftpy2Client:
    """thriftpy2's own."""

    def __init__(self, port: int, transport: str, encoding: str) -> None:
        self._socket = TSocket2(HOST, port, socket_timeout=30_000)
        protocols, transports = thriftpy2_factories(transport, encoding)
        self._transport = transports.get_transport(self._socket)
        self._client = TClient2(SHOP.Shop, protocols.get_protocol(self._transport))
        self._transport.open()

    def close(self) -> None:
        self._transport.close()

    def send(self, name: str, *given: Any) -> None:
        """Write a call."""
        arguments = getattr(SHOP.Shop, f"{name}_args")
        named = {arguments.thrift_spec[number + 1][1]: value for number, value in enumerate(given)}
        self._client._send(name, **named)

    def receive(self, name: str) -> Any:
        """Read its answer."""
        return self._client._recv(name)

    def call(self, name: str, *given: Any) -> Any:
        """Call, and return what is answered, if anything is."""
        return getattr(self._client, name)(*given)


def apache_protocol(end: Any, transport: str, encoding: str) -> Any:
    """The protocol over an open socket."""
    if transport == "header":
        number = {"binary": 0, "compact": 2}[encoding]
        return THeaderProtocol.THeaderProtocol(
            end, [THeaderTransport.THeaderClientType.HEADERS], default_protocol=number
        )
    if transport == "framed":
        end = TTransport.TFramedTransport(end)
    else:
        end = TTransport.TBufferedTransport(TZlibTransport.TZlibTransport(end) if transport == "zlib" else end)
    return {
        "binary": TBinaryProtocol.TBinaryProtocolAccelerated,
        "compact": TCompactProtocol.TCompactProtocolAccelerated,
        "json": TJSONProtocol.TJSONProtocol,
    }[encoding](end)


def thriftpy2_factories(transport: str, encoding: str) -> tuple[Any, Any]:
    """Its factories of protocols and of transports; of binary in C."""
    protocols = {"binary": TBinaryProtocolFactory, "compact": TCompactProtocolFactory}[encoding]()
    return protocols, {"unframed": TBufferedTransportFactory, "framed": TFramedTransportFactory}[transport]()


class _Whole:
    """A factory for Apache's server, of what reads and writes."""

    def __init__(self, transport: str, encoding: str) -> None:
        self._how = transport, encoding

    def getProtocol(self, end: Any) -> Any:  # noqa: N802  # Apache's name
        return apache_protocol(end, *self._how)


class _Plain:
    def getTransport(self, end: Any) -> Any:  # noqa: N802  # Apache's name
        return end


def serve(library: str, port: int, transport: str, encoding: str, name: str) -> None:
    """Serve for ever."""
    if library == "apache":
        processor = Processor(Handler(name, Gone))
        listener = TSocket.TServerSocket(HOST, port)
        made: Any = _Whole(transport, encoding)
        if transport == "header":
            made = THeaderProtocol.THeaderProtocolFactory([THeaderTransport.THeaderClientType.HEADERS])
        TThreadedServer(processor, listener, _Plain(), _Plain(), made, made, daemon=True).serve()
    protocols, transports = thriftpy2_factories(transport, encoding)
    handler = Handler(name, SHOP.Gone)
    how = {"iprot_factory": protocols, "itrans_factory": transports, "daemon": True}
    TThreadedServer2(TProcessor2(SHOP.Shop, handler), TServerSocket(HOST, port), **how).serve()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:6])
