"""thriftpy2 as client and server: see thrift_peers.py for what it is told. Its argument is the file of the interface."""

from __future__ import annotations

import sys
import threading
import time

import thriftpy2
from talk_services import Handler
from thriftpy2 import http
from thriftpy2.protocol import (
    TApacheJSONProtocolFactory,
    TBinaryProtocolFactory,
    TCompactProtocolFactory,
    TCyBinaryProtocolFactory,
    TJSONProtocolFactory,
    TMultiplexedProtocolFactory,
)
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TApplicationException, TClient, TMultiplexedProcessor, TProcessor
from thriftpy2.transport import (
    TBufferedTransportFactory,
    TCyBufferedTransportFactory,
    TCyFramedTransportFactory,
    TFramedTransportFactory,
    TMemoryBuffer,
    TServerSocket,
    TSocket,
)

peers = thriftpy2.load(sys.argv[1], module_name="peers_thrift")
CYTHON = ("binary", "old-binary")
ENCODINGS = {
    "binary": TCyBinaryProtocolFactory(),
    "old-binary": TCyBinaryProtocolFactory(strict_read=False, strict_write=False),
    "compact": TCompactProtocolFactory(),
    "json": TApacheJSONProtocolFactory(),
    "thriftpy2-json": TJSONProtocolFactory(),
    "plain": TBinaryProtocolFactory(),
}
TYPES = {"echo": peers.Everything, "grow": peers.Tree, "swap": peers.Value}
seen: list[str] = []


def transports(transport, encoding):
    """What makes transports of that kind."""
    if transport == "framed":
        return TCyFramedTransportFactory() if encoding in CYTHON else TFramedTransportFactory()
    return TCyBufferedTransportFactory() if encoding in CYTHON else TBufferedTransportFactory()


def written(value):
    """A struct as hex of the binary protocol."""
    memory = TMemoryBuffer()
    TBinaryProtocol(memory).write_struct(value)
    return memory.getvalue().hex()


def read(kind, text):
    """The struct that `written` made."""
    value = kind()
    TBinaryProtocol(TMemoryBuffer(bytes.fromhex(text))).read_struct(value)
    return value


def serve(port, transport, encoding, multiplexed):
    """Offer the services."""
    if transport == "http":
        server = http.make_server(
            peers.Shop, Handler("Shop.", peers, written, seen), "127.0.0.1", port, proto_factory=ENCODINGS[encoding],
            trans_factory=transports(transport, encoding),
        )  # fmt: skip
    else:
        processor = TProcessor(peers.Shop, Handler("Shop.", peers, written, seen))
        if multiplexed:
            shop = processor
            processor = TMultiplexedProcessor()
            processor.register_processor("Shop", shop)
            processor.register_processor("Stall", TProcessor(peers.Stall, Handler("Stall.", peers, written, seen)))
        server = TThreadedServer(
            processor, TServerSocket("127.0.0.1", port, client_timeout=None), iprot_factory=ENCODINGS[encoding],
            itrans_factory=transports(transport, encoding),
        )  # fmt: skip
        server.daemon = True
    threading.Thread(target=server.serve, daemon=True).start()


class Client:
    """One connection, and clients of services on it."""

    def __init__(self, port, transport, encoding, multiplexed):
        if transport == "http":
            end = http.THttpClient(f"http://127.0.0.1:{port}/")
        else:
            end = TSocket("127.0.0.1", port, socket_timeout=5_000)
        self.trans = transports(transport, encoding).get_transport(end)
        self.trans.open()
        protocol = None if multiplexed else ENCODINGS[encoding].get_protocol(self.trans)
        self.services = {}
        for name, service in (("Shop", peers.Bigger), ("Stall", peers.Stall)):
            if multiplexed:
                protocol = TMultiplexedProtocolFactory(ENCODINGS[encoding], name).get_protocol(self.trans)
            self.services[name] = TClient(service, protocol)

    def call(self, service, method, arguments):
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


def calls(port, transport, encoding, multiplexed, asked):
    """Call these one after another; what came of each."""
    said = []
    client = None
    for each in asked:
        name, _, arguments = each.partition(":")
        service, method = name.split(".")
        try:
            if (
                client is not None and encoding == "json"
            ):  # its reader takes in more than one message, and forgets what is behind
                client.trans.close()
                client = None
            if client is None:
                client = Client(port, transport, encoding, multiplexed)
            said.append(client.call(service, method, arguments.split(",") if arguments else []))
        except (peers.Oops, peers.Denied) as error:
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
        time.sleep(0.05)
    elif do == "call":
        answer = calls(int(words[0]), words[1], words[2], words[3] == "1", words[5:])
    else:
        answer = ["seen", *seen]
        seen.clear()
    print(*answer, flush=True)
