"""Protocols of lines and blocks: the decoder, and what a line says."""
