"""A proxy with clients and a server, whose truth is known: what the target `endpoints` and the machine of a proxy make it do."""
