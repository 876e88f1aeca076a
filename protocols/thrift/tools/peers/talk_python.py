"""Apache Thrift for Python as client and server: see thrift_peers.py for what it is told. Its argument is the folder of generated code."""

from __future__ import annotations

import sys
import threading

sys.path.insert(0, sys.argv[1])

from l7peers import Bigger, Shop, Stall, ttypes
from talk_services import Handler
from thrift import TMultiplexedProcessor
from thrift.protocol import (
    TBinaryProtocol,
    TCompactProtocol,
    THeaderProtocol,
    TJSONProtocol,
    TMultiplexedProtocol,
)
from thrift.server import THttpServer, TServer
from thrift.Thrift import TApplicationException
from thrift.transport import THeaderTransport, THttpClient, TSocket, TTransport, TZlibTransport

HEADERS = (THeaderTransport.THeaderClientType.HEADERS,)
ENCODINGS = {
    "binary": TBinaryProtocol.TBinaryProtocolAcceleratedFactory(fallback=False),
    "old-binary": TBinaryProtocol.TBinaryProtocolFactory(strictRead=False, strictWrite=False),
    "compact": TCompactProtocol.TCompactProtocolAcceleratedFactory(fallback=False),
    "json": TJSONProtocol.TJSONProtocolFactory(),
}
TYPES = {"echo": ttypes.Everything, "grow": ttypes.Tree, "swap": ttypes.Value}
seen: list[str] = []


class ZlibFactory:
    """Makes transports of zlib over a buffer."""

    def getTransport(self, end):  # noqa: N802  # the library's name
        return TTransport.TBufferedTransport(TZlibTransport.TZlibTransport(end))


def protocols(transport, encoding):
    """What makes protocols of that encoding."""
    if transport.startswith("header"):
        return THeaderProtocol.THeaderProtocolFactory(HEADERS, {"binary": 0, "compact": 2}[encoding])
    return ENCODINGS[encoding]


def transports(transport):
    """What makes transports of that kind."""
    if transport == "framed":
        return TTransport.TFramedTransportFactory()
    if transport == "zlib":
        return ZlibFactory()
    return (
        TTransport.TTransportFactoryBase() if transport.startswith("header") else TTransport.TBufferedTransportFactory()
    )


def written(value):
    """A struct as hex of the binary protocol."""
    memory = TTransport.TMemoryBuffer()
    value.write(TBinaryProtocol.TBinaryProtocol(memory))
    return memory.getvalue().hex()


def read(kind, text):
    """The struct that `written` made."""
    value = kind()
    value.read(TBinaryProtocol.TBinaryProtocol(TTransport.TMemoryBuffer(bytes.fromhex(text))))
    return value


def serve(port, transport, encoding, multiplexed):
    """Offer the services."""
    if multiplexed:
        processor = TMultiplexedProcessor.TMultiplexedProcessor()
        processor.registerProcessor("Shop", Shop.Processor(Handler("Shop.", ttypes, written, seen)))
        processor.registerProcessor("Stall", Stall.Processor(Handler("Stall.", ttypes, written, seen)))
    else:
        processor = Shop.Processor(Handler("Shop.", ttypes, written, seen))
    if transport == "http":
        server = THttpServer.THttpServer(processor, ("127.0.0.1", port), ENCODINGS[encoding])
    else:
        socket = TSocket.TServerSocket("127.0.0.1", port)
        socket.listen()
        socket.listen = lambda: None
        server = TServer.TThreadedServer(
            processor, socket, transports(transport), protocols(transport, encoding), daemon=True
        )
    threading.Thread(target=server.serve, daemon=True).start()


class Client:
    """One connection, and clients of services on it."""

    def __init__(self, port, transport, encoding, multiplexed, infos):
        if transport == "http":
            self.trans = THttpClient.THttpClient(f"http://127.0.0.1:{port}/")
        else:
            self.trans = transports(transport).getTransport(TSocket.TSocket("127.0.0.1", port))
        self.protocol = protocols(transport, encoding).getProtocol(self.trans)
        self.trans.open()
        self.zlib = transport == "header-zlib"
        self.infos = infos
        self.services = {}
        for name, service in (("Shop", Bigger), ("Stall", Stall)):
            protocol = TMultiplexedProtocol.TMultiplexedProtocol(self.protocol, name) if multiplexed else self.protocol
            self.services[name] = service.Client(protocol)

    def call(self, service, method, arguments):
        for key, value in self.infos:
            self.protocol.set_header(key.encode(), value.encode())
        if self.zlib:
            self.protocol.trans._write_transforms[:] = [1]
        client = self.services[service]
        if method in TYPES:
            result = getattr(client, method)(read(TYPES[method], arguments[0]), *map(int, arguments[1:]))
            return f"struct:{written(result)}"
        if method == "add":
            return f"int:{client.add(*map(int, arguments))}"
        if method == "count":
            return f"int:{client.count([int(each) for each in arguments[0].split(';')])}"
        result = getattr(client, method)(*(bytes.fromhex(each).decode() for each in arguments))
        if method == "fire":
            return "oneway"
        if method in ("find", "missing"):
            return f"struct:{written(result)}"
        return "void" if result is None else f"text:{result.encode().hex()}"


def calls(port, transport, encoding, multiplexed, infos, asked):
    """Call these one after another; what came of each."""
    said = []
    client = None
    for each in asked:
        name, _, arguments = each.partition(":")
        service, method = name.split(".")
        try:
            if client is None:
                client = Client(port, transport, encoding, multiplexed, infos)
            said.append(client.call(service, method, arguments.split(",") if arguments else []))
        except (ttypes.Oops, ttypes.Denied) as error:
            said.append(f"{type(error).__name__}:{written(error)}")
        except TApplicationException as error:
            said.append(f"application:{error.type}:{(error.message or '').encode().hex()}")
        except Exception as error:
            said.append(f"lost:{str(error).encode().hex()}")
            client.trans.close()
            client = None
    if client is not None:
        client.trans.close()
    return said


for line in sys.stdin:
    do, *words = line.split()
    if do == "serve":
        serve(int(words[0]), words[1], words[2], words[3] == "1")
        answer = ["serves"]
    elif do == "call":
        infos = [] if words[4] == "-" else [each.split("=") for each in words[4].split(",")]
        answer = calls(int(words[0]), words[1], words[2], words[3] == "1", infos, words[5:])
    else:
        answer = ["seen", *seen]
        seen.clear()
    print(*answer, flush=True)
