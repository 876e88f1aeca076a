"""Octets in and out, for either side: asyncio, TLS, and when is written. See README.md beside this."""
