"""How messages stand in the octets of a connection."""
