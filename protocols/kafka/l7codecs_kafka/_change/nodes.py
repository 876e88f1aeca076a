"""Brokers as clients know them: other ids, other addresses.

A proxy stands for every broker, each at an address of its own. So clients are told these addresses wherever a broker's stands, and where
their ids change too, every id in either direction does. -1 and less are no broker, and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

from l7codecs import Unsupported

__all__ = ["Nodes"]

Address: TypeAlias = tuple[str, int]


@final
class Nodes:
    """How ids and addresses of brokers change between a client and the server.

    ``to_client`` turns the server's id into the client's, ``to_server`` the other way round; ``address`` gives host and port for clients
    of a broker, of which it is told the server's id and where it is: ``address(id, host, port)``. None where they stay.
    """

    def __init__(
        self,
        to_client: Callable[[int], int] | None = None,
        to_server: Callable[[int], int] | None = None,
        address: Callable[[int, str, int], Address] | None = None,
    ) -> None:
        if (to_client is None) != (to_server is None):
            raise ValueError("ids change in both directions, or in none")
        self._to_client = to_client
        self._to_server = to_server
        self._address = address

    @staticmethod
    def mapped(brokers: Mapping[int, tuple[int, str, int]]) -> Nodes:
        """The brokers by the server's id: the client's id, host and port.

        Another id stays as it is, as those of controllers do, unless it means one of these on the other side. Another broker's address is
        `Unsupported`: clients would go there past the proxy.
        """
        for node, (client, host, port) in brokers.items():
            if not (0 <= node < 2**31 and 0 <= client < 2**31):
                raise ValueError(f"the id of a broker is from 0 to 2**31 - 1, not {node} or {client}")
            if not host or len(host.encode("utf-8", "surrogateescape")) > 0x7FFF or not 0 < port < 2**16:
                raise ValueError(f"broker {node} has no address for clients in {host[:60]!r}, {port}")
        ids = {server: client for server, (client, _, _) in brokers.items()}
        servers = {client: server for server, client in ids.items()}
        if len(servers) != len(ids):
            raise ValueError("two brokers have one id for clients")
        addresses = {server: (host, port) for server, (_, host, port) in brokers.items()}

        def to_client(node: int) -> int:
            found = ids.get(node)
            if found is None and node in servers:
                raise Unsupported(f"broker {node} has no id for clients, who know another one by this")
            return node if found is None else found

        def to_server(node: int) -> int:
            found = servers.get(node)
            if found is None and node in ids:
                raise Unsupported(f"clients know no broker {node}")
            return node if found is None else found

        def address(node: int, host: str, port: int) -> Address:
            found = addresses.get(node)
            if found is None:
                raise Unsupported(f"broker {node} at {host}:{port} has no address for clients")
            return found

        return Nodes(to_client, to_server, address)

    @property
    def changes_ids(self) -> bool:
        return self._to_client is not None

    @property
    def changes_addresses(self) -> bool:
        return self._address is not None

    def client_id(self, node: int) -> int:
        """The id that clients know the server's `node` by."""
        return node if node < 0 or self._to_client is None else self._to_client(node)

    def server_id(self, node: int) -> int:
        """The id that the server knows the client's `node` by."""
        return node if node < 0 or self._to_server is None else self._to_server(node)

    def client_address(self, node: int, host: str, port: int) -> Address:
        """Where clients find the server's `node`, which is at `host` and `port`."""
        return (host, port) if node < 0 or self._address is None else self._address(node, host, port)
