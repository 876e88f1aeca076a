"""Detection: total, final, and clear about what it waits for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l7codecs import Limits
from l7codecs.kinds import Sender
from l7codecs.protocol import Detection, Verdict
from l7codecs.testing.conformance.base import EXAMPLES, ConformanceBase, mutated
from l7codecs.testing.vectors import Vector

__all__ = ["Detects"]


class Detects(ConformanceBase):
    """What `Protocol.detect` says."""

    def test_detection_is_monotone(self, vector: Vector) -> None:
        client, server = vector.octets(Sender.CLIENT), vector.octets(Sender.SERVER)
        prefixes = [(client[:n], b"") for n in range(len(client) + 1)]
        prefixes += [(client, server[:n]) for n in range(len(server) + 1)]
        final = self._check_monotone(prefixes, vector.name)
        if vector.name not in self.undetected:
            assert final is not Verdict.NO, (
                f"{vector.name}: a conversation of this protocol is denied (`undetected` is for vectors that may be)"
            )

    @given(st.binary(max_size=64), st.binary(max_size=64))
    @EXAMPLES
    def test_detection_is_total_and_monotone(self, client: bytes, server: bytes) -> None:
        self._check_monotone([(client[:n], server) for n in range(len(client) + 1)], "random octets")
        self._check_monotone([(client, server[:n]) for n in range(len(server) + 1)], "random octets")

    @given(st.data())
    @EXAMPLES
    def test_detection_of_a_mutated_vector_is_monotone(self, data: st.DataObject) -> None:
        vector = mutated(data.draw(st.sampled_from(self.vectors)), data)
        client, server = vector.octets(Sender.CLIENT)[:80], vector.octets(Sender.SERVER)[:80]
        self._check_monotone([(client[:n], server) for n in range(len(client) + 1)], vector.name)
        self._check_monotone([(client, server[:n]) for n in range(len(server) + 1)], vector.name)

    def test_detection_says_what_it_waits_for(self, vector: Vector) -> None:
        """Octets of a side that a MORE does not need change nothing; one that waits for the silent side says so."""
        octets = {sender: vector.octets(sender)[: Limits().detection] for sender in Sender}
        client, server = octets[Sender.CLIENT], octets[Sender.SERVER]
        for sender in Sender:
            for at in range(len(octets[sender]) + 1):
                part = {**octets, sender.other: b"", sender: octets[sender][:at]}
                answer = self._detect(part[Sender.CLIENT], part[Sender.SERVER], vector.name)
                if answer.verdict is Verdict.MORE and answer.needs is not None:
                    more = {**octets, answer.needs: part[answer.needs]}
                    later = self._detect(more[Sender.CLIENT], more[Sender.SERVER], vector.name)
                    assert later.verdict is Verdict.MORE and later.needs is answer.needs, (
                        f"{vector.name}: with {at} octets of the {sender.value}, it does not need the {answer.needs.value} alone: "
                        f"more of the {answer.needs.other.value} make it {later}"
                    )
        if client and server:
            for sender, answer in (
                (Sender.CLIENT, self._detect(b"", server, vector.name)),
                (Sender.SERVER, self._detect(client, b"", vector.name)),
            ):
                both = self._detect(client, server, vector.name)
                if answer.verdict is Verdict.MORE and both.verdict is not Verdict.MORE:
                    assert answer.needs is sender, (
                        f"{vector.name}: it waits for the {sender.value}: Detection(…, needs=…)"
                    )

    def _detect(self, client: bytes, server: bytes, name: str) -> Detection:
        """What the protocol says of these octets, which is always a `Detection`."""
        where = f"{name}: detect of {client[:80]!r} and {server[:80]!r}"
        try:
            answer = self.loaded().detect(client, server)
        except Exception as error:
            raise AssertionError(f"{where} raises {error!r}") from error
        assert type(answer) is Detection and type(answer.verdict) is Verdict, (
            f"{where} returns {answer!r}, no Detection"
        )
        assert 0 <= answer.score <= 100, f"{where} has the score {answer.score}, not 0 to 100"
        if answer.verdict is Verdict.YES:
            assert answer.reason and answer.score > 0, f"{where} is YES without a reason and a score: {answer!r}"
        return answer

    def _check_monotone(self, prefixes: list[tuple[bytes, bytes]], name: str) -> Verdict | None:
        """Once YES or NO, always; returns that, None for MORE to the end."""
        final: Verdict | None = None
        for client, server in prefixes:
            verdict = self._detect(client, server, name).verdict
            if final is not None:
                assert verdict is final, (
                    f"{name}: detect said {final.value}, which is final, and says {verdict.value} of {client[-80:]!r} and "
                    f"{server[-80:]!r}"
                )
            final = verdict if verdict is not Verdict.MORE else None
        return final
