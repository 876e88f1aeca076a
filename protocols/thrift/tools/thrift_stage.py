"""A stage for real peers of Thrift: libraries as clients and servers, with a recording relay between them.

stage = Stage()
talk = stage.play("go", "java", "framed", "compact", PLAIN)
talk.said, talk.seen            what the client got, and what the server saw
talk.recordings[0].to_vector()
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrift_peers import NAMES, OFFERS, Peer, python_code

from l7codecs.testing import Recording, Relay

WITHOUT_UUID = {"cpp", "thriftpy2"}
"""Peers whose interface has none."""
SERVERS_WITHOUT = {("thriftpy2", "json")}
"""In Apache's JSON thriftpy2's server does not answer as often as it is asked."""
UNREADABLE = {("cpp", "thriftpy2", "http")}
"""thriftpy2's answers of HTTP have no size, without which the client of C++ reads nothing."""
SILENT = ("node", "cpp")
"""Servers of HTTP that write nothing at all, no answer of HTTP either, for a one-way call: clients of other libraries wait for that."""


def pairs() -> list[tuple[str, str]]:
    """Client and server: each library with itself, and both ways round with the next."""
    return [(name, NAMES[(at + step) % len(NAMES)]) for at, name in enumerate(NAMES) for step in (0, 1, -1)]


def common(client: str, server: str) -> list[tuple[str, str]]:
    """Transports and encodings that both have."""
    return [
        (transport, encoding)
        for transport, encodings in OFFERS[client].items()
        for encoding in encodings
        if encoding in OFFERS[server].get(transport, ())
        and (server, encoding) not in SERVERS_WITHOUT
        and (client, server, transport) not in UNREADABLE
    ]


def text(value: str) -> str:
    """A text as an argument."""
    return value.encode().hex()


def written(value: Any) -> str:
    """A struct of Apache Thrift for Python as an argument."""
    from thrift.protocol import TBinaryProtocol
    from thrift.transport import TTransport

    memory = TTransport.TMemoryBuffer()
    value.write(TBinaryProtocol.TBinaryProtocol(memory))
    octets: bytes = memory.getvalue()
    return octets.hex()


def read(kind: Any, octets: str) -> Any:
    """A struct that a peer has told of."""
    from thrift.protocol import TBinaryProtocol
    from thrift.transport import TTransport

    protocol = TBinaryProtocol.TBinaryProtocol(TTransport.TMemoryBuffer(bytes.fromhex(octets)))
    if issubclass(kind, Exception):  # these cannot be changed once they are made
        return kind.read(protocol)
    value = kind()
    value.read(protocol)
    return value


def types() -> Any:
    """The structs of the interface, of Apache Thrift for Python."""
    folder = str(python_code())
    if folder not in sys.path:
        sys.path.append(folder)
    import l7peers.ttypes as found

    return found


def everything(*, uuid: bool = True, hollow: bool = True) -> Any:
    """A value with every type in it. All fields are set that every library writes: some write those that are not, too.

    uuid: whether one is in it.
    hollow: whether maps have empty lists for values.
    """
    from uuid import UUID

    made = types()
    red, blue = made.Colour.RED, made.Colour.BLUE
    value = made.Everything(
        yes=True, no=False, tiny=-128, small=-32768, middle=1 << 30, large=-(1 << 62), real=-0.1, text="é😀\n\"\\/",
        octets=bytes(range(256)),
        colour=blue, flags=[True, False, True], numbers={-1, 0, 1 << 40},
        nested={"a": [{1: made.Item(name="one", sold=False)}, {-2: made.Item(name="two", count=2, colour=red)}]},
        value=made.Value(values=[made.Value(number=-5), made.Value(text="t"), made.Value(octets=b"\xff"),
                                 made.Value(item=made.Item(name="i"))]),
        tree=made.Tree(name="top", children=[made.Tree(name="left", children=[]), made.Tree(name="", children=[])]),
        reals=[[], [1e300, 0.5]], names={red: ["r"]}, signs={True: 1}, none=set(), pairs={-7: {1}},
        id=UUID("00112233-4455-6677-8899-aabbccddeeff") if uuid else None,
    )  # fmt: skip
    if hollow:
        value.nested[""] = []
        value.names[blue] = []
    return value


def plain(client: str, server: str, transport: str, encoding: str) -> list[str]:
    """Calls of everything that one service has, and of what it has not."""
    made = types()
    sides = {client, server}
    tree = made.Tree(name="leaf", children=[])
    value = made.Value(values=[made.Value(number=7), made.Value(values=[])])
    # node's reader of JSON loses the key behind an empty list.
    whole = everything(uuid=not sides & WITHOUT_UUID, hollow="node" not in sides or encoding != "json")
    calls = {
        "hello": text("é😀"), "nothing": "", "echo": written(whole), "fire": text("shot"), "add": "-5,3", "find": text("tea"),
        "check": text("tea"), "grow": f"{written(tree)},3", "swap": written(value), "missing": "",
    }  # fmt: skip
    if transport == "http" and server in SILENT:
        del calls["fire"]
    if (client, encoding) == ("thriftpy2", "json"):
        del calls["echo"]  # its writer of Apache's JSON fails at such a value
    told = [f"Shop.{method}:{arguments}" for method, arguments in calls.items()]
    told += [f"Shop.find:{text('oops')}", f"Shop.find:{text('denied')}", f"Shop.check:{text('oops')}"]
    return [
        *told,
        f"Shop.notThere:{text('x')}",
        "Shop.add:1,2",
        f"Shop.failing:{text('secret')}",
        f"Shop.hello:{text('on')}",
    ]


def several() -> list[str]:
    """Calls of two services on one connection."""
    return [
        f"Shop.hello:{text('a')}", f"Stall.hello:{text('b')}", "Stall.count:1;-2;1099511627776", f"Shop.fire:{text('shot')}",
        "Stall.count:5",
        f"Shop.find:{text('oops')}", "Shop.nothing:", f"Stall.hello:{text('c')}",
    ]  # fmt: skip


@dataclass(frozen=True)
class Talk:
    """What passed, and what both sides say of it.

    said: what the client says of each call.
    seen: the calls that the services saw.
    recordings: of each connection.
    """

    said: list[str]
    seen: list[str]
    recordings: list[Recording]


class Stage:
    """All peers that were asked for by now, and their services."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._peers: dict[str, Peer] = {}
        self._ports: dict[tuple[str, str, str, bool], int] = {}

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def peer(self, name: str) -> Peer:
        """The process of that library, which is started where it is not."""
        if name not in self._peers:
            self._peers[name] = self._stack.enter_context(Peer(name))
        return self._peers[name]

    def port(self, name: str, transport: str, encoding: str, *, multiplexed: bool = False) -> int:
        """Where that library offers its services so."""
        key = name, transport, encoding, multiplexed
        if key not in self._ports:
            self._ports[key] = self.peer(name).serve(transport, encoding, multiplexed=multiplexed)
        return self._ports[key]

    def play(
        self,
        client: str,
        server: str,
        transport: str,
        encoding: str,
        calls: Sequence[str],
        *,
        multiplexed: bool = False,
        infos: str = "-",
        offered: tuple[str, str] | None = None,
        prefixed: bool | None = None,
    ) -> Talk:
        """Let a client call a server.

        Args:
            client: its library.
            server: its library.
            transport: see `OFFERS`.
            encoding: see `OFFERS`.
            calls: see `thrift_peers`.
            multiplexed: whether the server has several services.
            infos: of THeader, of each call.
            offered: the server's transport and encoding, where they are others.
            prefixed: whether the client names the services, where that is not `multiplexed`.
        """
        port = self.port(server, *(offered or (transport, encoding)), multiplexed=multiplexed)
        self.peer(server).seen()
        with Relay(("127.0.0.1", port)) as relay:
            named = multiplexed if prefixed is None else prefixed
            said = self.peer(client).call(relay.port, transport, encoding, calls, multiplexed=named, infos=infos)
            # Clients of HTTP keep their connections for calls to come: the relay ends these.
            recordings = relay.recordings if transport == "http" else relay.wait_closed()
        return Talk(said, self.peer(server).seen(), recordings)
