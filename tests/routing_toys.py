"""A message that says what it is told to."""

from __future__ import annotations

from typing import Any

from l7codecs import Headers, Kind, Message, Sender, Status
from l7codecs.message import Flow


class Said(Message):
    """A message that is what it is told to be."""

    def __init__(self, says: dict[str, Any], protocol: str = "redis", client: tuple[str, int] | None = None) -> None:
        kind = says.get("kind", Kind.REQUEST)
        super().__init__(Flow(protocol, client), Sender.CLIENT, kind, 0, says.get("octets", b""), 0, 0)
        self.says = says

    @property
    def service(self) -> str | None:
        return self.says.get("service")

    @property
    def operation(self) -> str | None:
        return self.says.get("operation")

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        return self.says.get("resources", ())

    @property
    def resource_at(self) -> int:
        return self.says.get("at", -1)

    @property
    def resource_size(self) -> int:
        return len(self.resources[0])

    @property
    def status(self) -> Status | None:
        return self.says.get("status")

    @property
    def headers(self) -> Headers:
        return Headers(self.says.get("headers", ()))

    @property
    def access(self) -> str | None:
        return self.attributes.get("l7.access")

    @property
    def attributes(self) -> dict[str, Any]:
        return self.says.get("attributes", {})
