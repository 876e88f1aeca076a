"""The promises that every protocol makes."""

from pathlib import Path

import dns.message
import dns.rrset

from l7codecs import Sender
from l7codecs.testing import ProtocolConformance, Vector, load_vectors


class TestDns(ProtocolConformance):
    protocol = "dns"
    vectors = load_vectors(Path(__file__).parents[1] / "vectors")

    def large(self, size: int) -> list[Vector]:
        """One response of about `size` octets; 65535 are the most that the length can say."""
        query = dns.message.make_query("example.", "TXT", id=1)
        response = dns.message.make_response(query)
        texts = [f'"{number:04}{"x" * 196}"' for number in range(min(size, 60_000) // 213)]
        response.answer.append(dns.rrset.from_text("example.", 60, "IN", "TXT", *texts))
        octets = response.to_wire(max_size=65535)
        return [Vector("a large response", ((Sender.SERVER, len(octets).to_bytes(2) + octets),))]
