"""A server and a client of connectrpc (PyPI), over HTTP/2 without TLS: ``connect_peer.py server PORT``, ``connect_peer.py client PORT``.

The client reads calls from its standard input, as JSON: protocol, method, value, and whether to compress or to use GET. It writes what came
of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from connectrpc.server import ConnectASGIApplication, Endpoint
from hypercorn.asyncio import serve
from hypercorn.config import Config
from protobuf.wkt import StringValue
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport


def method(name: str, stream: StreamType = StreamType.UNARY) -> MethodInfo[StringValue, StringValue]:
    return MethodInfo(
        name=name,
        service_name="pack.Greeter",
        input=StringValue,
        output=StringValue,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS,
        stream_type=stream,
    )


GREET = method("Greet")
MANY = method("Many", StreamType.SERVER_STREAM)
NONE = method("None")


async def greet(asked: StringValue, _context: Any) -> StringValue:
    if asked.value in Code.__members__:
        raise ConnectError(Code[asked.value], "as asked")
    return StringValue(value=f"hello {asked.value}")


async def many(asked: StringValue, context: Any) -> AsyncIterator[StringValue]:
    for _ in range(3):
        yield StringValue(value="again")
    if asked.value in Code.__members__:
        raise ConnectError(Code[asked.value], "as asked")


class Application(ConnectASGIApplication):
    @property
    def path(self) -> str:
        return "/pack.Greeter"


def server(port: int) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    endpoints = {
        "/pack.Greeter/Greet": Endpoint.unary(method=GREET, function=greet),
        "/pack.Greeter/Many": Endpoint.server_stream(method=MANY, function=many),
    }
    application: Any = Application(service=None, endpoints=lambda _: endpoints)
    asyncio.run(serve(application, config))


def client(port: int) -> None:
    found = []
    with SyncHTTPTransport(http_version=HTTPVersion.HTTP2) as transport:
        for call in json.load(sys.stdin):
            options: dict[str, Any] = {} if call.get("compress", True) else {"send_compression": None}
            with ConnectClientSync(
                f"http://127.0.0.1:{port}",
                protocol=ProtocolType[call["protocol"]],
                http_client=SyncClient(transport),
                **options,
            ) as caller:
                said = StringValue(value=call["value"])
                try:
                    if call["method"] == "Many":
                        stream = caller.execute_server_stream(request=said, method=MANY)
                        found.append([each.value for each in stream])
                    else:
                        info = GREET if call["method"] == "Greet" else NONE
                        answer = caller.execute_unary(request=said, method=info, use_get=call.get("get", False))
                        found.append([answer.value])
                except ConnectError as error:
                    found.append([error.code.name, error.message])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    {"server": server, "client": client}[sys.argv[1]](int(sys.argv[2]))
