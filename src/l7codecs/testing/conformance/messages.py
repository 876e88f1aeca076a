"""What messages say: types, the schema, the registration."""

from __future__ import annotations

from l7codecs.registry import list_protocols
from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.conformance.events import check_said
from l7codecs.testing.vectors import Vector

__all__ = ["Messages"]


class Messages(ConformanceBase):
    """Metadata."""

    def test_schema_and_attributes_agree(self, vector: Vector) -> None:
        """And every other field has the type and the width that it should have."""
        check_said(self.outcome(vector), self.loaded(), vector.name)

    def test_it_is_registered_once(self) -> None:
        if isinstance(self.protocol, str):
            names = [entry.name for entry in list_protocols()]
            assert names.count(self.protocol) == 1, (
                f"{self.protocol!r} is registered {names.count(self.protocol)} times"
            )
            assert self.loaded().name == self.protocol, f"{self.protocol!r} calls itself {self.loaded().name!r}"
