"""What can happen in a world, by number: the steps of the target `endpoints`, and of the machine of a proxy.

Any numbers are a step: each chooses among what there is, modulo how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from l7codecs import Changes, Limits
from l7codecs.errors import LimitExceeded, Unsupported
from l7codecs.testing.fuzzing.material import Material
from l7codecs.testing.fuzzing.proxy.exchanges import Place, Pool
from l7codecs.testing.fuzzing.proxy.parties import Client
from l7codecs.testing.fuzzing.proxy.world import World

__all__ = ["Steps"]


class Steps(World):
    """A world that is told by numbers what happens."""

    def __init__(
        self,
        material: Material,
        places: Sequence[Place],
        limits: Limits,
        pool: Pool | None = None,
        figures: Counter[str] | None = None,
    ) -> None:
        """`places` is what can be asked; `pool` and `figures` are kept from one world to the next."""
        super().__init__(
            material, places, pool or Pool(material, list(places)), Counter() if figures is None else figures, limits
        )
        self.places = places

    def client(self, number: int) -> Client:
        return self.clients[number % len(self.clients)]

    def asks(self, client: int, what: int) -> None:
        """A client asks what stands at that place."""
        self.ask(self.client(client), self.places[what % len(self.places)])

    def arrives(self, wire: int, size: int) -> None:
        """Up to `size` octets that are under way arrive, see `World.move`."""
        self.move(wire, size)

    def answers(self, number: int) -> None:
        """The server answers one of what waits there."""
        self.answer(number)

    def refuses(self, client: int, part: int) -> None:
        """The proxy answers one of a client's requests itself, at `part` / 256 of all that wait."""
        party = self.client(client)
        waits = party.down.unanswered()
        if waits and not party.gone:
            self.refuse(party, waits[(part * len(waits) // 256 + self.refused) % len(waits)])
            self.refused += 1  # another one, where the step is repeated

    def gives_up(self, client: int, number: int) -> None:
        """The proxy waits no longer for one of a client's requests, and refuses it."""
        self.give_up(self.client(client), number)

    def cancels(self, client: int, number: int) -> None:
        """A client waits no longer for one of its requests."""
        party = self.client(client)
        waits = [] if party.gone or party.strange else party.agent.unanswered()
        if not waits:
            return
        request = waits[number % len(waits)]
        try:
            octets = party.agent.cancel(request)
        except (Unsupported, LimitExceeded):
            return
        party.wire.up += octets
        party.asked.given_up(request)
        ask = party.asks.get(request)
        if ask is not None:
            ask.given_up = True

    def leaves(self, client: int) -> None:
        """A client is gone."""
        self.leave(self.client(client))

    def pauses(self, client: int, which: int) -> None:
        """A session's transport is full, or is so no longer."""
        party = self.client(client)
        session = (party.down, self.server.up, party.agent, self.server.origin)[which % 4]
        session.paused = not session.paused

    def writes(self) -> None:
        """What sessions owe is written."""
        self.flush()

    def closes(self, client: int, which: int) -> None:
        """A session begins to shut down: what is under way goes on."""
        party, server = self.client(client), self.server
        if party.gone or server.gone:
            return
        which %= 4
        if which == 0:
            party.wire.up += party.agent.close()
        elif which == 1:
            party.closing = True
            party.wire.down += party.down.close()
        elif which == 2:
            server.wire.up += server.up.close()
            self.answer_left(server)
        else:
            server.wire.down += server.origin.close()

    def ends(self) -> None:
        """The server ends."""
        self.server_ends()

    def changes(self, header: bool, number: int) -> None:
        """What the proxy sends next is changed: a header, or an attribute that is text."""
        names = [
            each.name
            for each in self.material.protocol.attributes
            if each.changeable and each.type is str and not each.many
        ]
        if header or not names:
            self.change = Changes(set_headers={"x-fuzz": "1"})
        else:
            self.change = Changes({names[number % len(names)]: "x"})

    def breaks(self, octets: bytes) -> None:
        """The server sends what is no protocol, or any."""
        if octets:
            for each in self.clients:
                self.spoil(each)
                each.strange = True
            self.wrong = True
            self.server.wire.down += octets

    def misbehaves(self, client: int, octets: bytes) -> None:
        """A client sends what is no protocol, or any."""
        party = self.client(client)
        party.strange = self.strange = True
        self.from_client(party, octets)
