"""The encodings, each once, and by their names."""

from __future__ import annotations

from typing import Final

from .binary import BinaryEncoding
from .compact import CompactEncoding
from .encoding import Encoding
from .json import JsonEncoding
from .metadata_json import MetadataJsonEncoding
from .text_json import TextJsonEncoding

__all__ = ["BINARY", "COMPACT", "ENCODINGS", "JSON", "METADATA_JSON", "TEXT_JSON"]

BINARY: Final = BinaryEncoding("binary")
"""Strict and old."""
COMPACT: Final = CompactEncoding("compact")
JSON: Final = JsonEncoding("json")
"""Apache's."""
METADATA_JSON: Final = MetadataJsonEncoding("thriftpy2-json")
"""thriftpy2's own."""
TEXT_JSON: Final = TextJsonEncoding("ttext")
"""Armeria's TTEXT."""

ENCODINGS: Final[dict[str, Encoding]] = {each.name: each for each in (BINARY, COMPACT, JSON, METADATA_JSON, TEXT_JSON)}
