"""Header compression (RFC 7541): strings, both tables, blocks of fields. It knows no frames."""
