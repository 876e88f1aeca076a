"""A server or a client of apache-dubbo, in a process of its own: ``python dubbo_peer.py server PORT`` or ``… client PORT``.

Both print a line of JSON for whatever they see. The server ends with its standard input. The client reads from there, as a list in JSON,
which calls it is to make: of each the kind, the method, the messages, and what of Triple's metadata is to be sent. Octets are written as
latin-1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import dubbo
from dubbo.configs import ReferenceConfig, ServiceConfig
from dubbo.protocol.triple.call.client_call import TripleClientCall
from dubbo.protocol.triple.call.server_call import TripleServerCall
from dubbo.protocol.triple.invoker import TripleInvoker
from dubbo.proxy.handlers import RpcMethodHandler, RpcServiceHandler

SERVICE = "pack.Greeter"


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def note(owner: type, name: str, tell: Any) -> None:
    """Let `tell` see the arguments of a method before it is called."""
    method = getattr(owner, name)

    def noted(self: object, *arguments: Any) -> object:
        tell(self, *arguments)
        return method(self, *arguments)

    setattr(owner, name, noted)


# ------------------------------------------------------------------------------------------------------------- the server


def greet(name: bytes) -> bytes:
    say(method="greet", received=[name.decode("latin-1")])
    if name == b"nobody":
        raise ValueError("no such name")
    return b"hello " + name


def many(stream: Any) -> Iterator[bytes]:
    name = stream.read()
    say(method="many", received=[name.decode("latin-1")])
    for number in range(5):
        yield b"%s %d" % (name, number)


def join(stream: Any) -> bytes:
    names = list(stream)
    say(method="join", received=[name.decode("latin-1") for name in names])
    return b" ".join(names)


def both(stream: Any) -> Iterator[bytes]:
    names = []
    for name in stream:
        names.append(name.decode("latin-1"))
        yield b"hello " + name
    say(method="both", received=names)


def serve(port: int) -> None:
    note(TripleServerCall, "on_headers", lambda _, headers: say(headers=headers))
    handlers = [
        RpcMethodHandler.unary(greet, "greet"),
        RpcMethodHandler.server_stream(many, "many"),
        RpcMethodHandler.client_stream(join, "join"),
        RpcMethodHandler.bi_stream(both, "both"),
    ]
    dubbo.Server(ServiceConfig(RpcServiceHandler(SERVICE, handlers), host="127.0.0.1", port=port)).start()
    sys.stdin.read()


# ------------------------------------------------------------------------------------------------------------- the client


def talk(port: int, calls: list[dict[str, Any]]) -> None:
    """Make the calls one by one; metadata goes where the client keeps it and does not yet fill it in."""
    metadata: dict[str, Any] = {}
    create = TripleInvoker._create_metadata

    def created(self: TripleInvoker, invocation: object) -> object:
        found = create(self, invocation)
        for name, value in metadata.items():
            if isinstance(value, dict):
                found.attachments.update(value)
            else:
                setattr(found, name, value)
        return found

    TripleInvoker._create_metadata = created
    note(
        TripleClientCall,
        "on_complete",
        lambda _, status, trailers: ended.append((status.code.name, status.description, dict(trailers))),
    )
    client = dubbo.Client(ReferenceConfig.from_url(f"tri://127.0.0.1:{port}/{SERVICE}"))
    for call in calls:
        ended: list[object] = []
        received: list[bytes] = []
        metadata = call.get("metadata", {})
        messages = [message.encode("latin-1") for message in call["messages"]]
        method = getattr(client, call["kind"])(call["method"])
        error = None
        try:
            if call["kind"] == "unary":
                received.append(method(messages[0]))
            elif call["kind"] == "server_stream":
                received.extend(method(messages[0]))
            else:
                received.extend(method(iter(messages)))
        except Exception as caught:
            error = str(caught)
        say(method=call["method"], received=[each.decode("latin-1") for each in received], error=error, ended=ended)
    client._invoker._client.close()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]))
    else:
        talk(int(sys.argv[2]), json.load(sys.stdin))
