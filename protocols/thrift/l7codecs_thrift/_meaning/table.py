"""The encodings by their numbers."""

from __future__ import annotations

from typing import Final

from .._encoding.encoding import Encoding
from .._encoding.encodings import BINARY, COMPACT, JSON, METADATA_JSON, TEXT_JSON
from .words import ENCODINGS

__all__ = ["CODECS"]

CODECS: Final[tuple[Encoding, ...]] = (BINARY, BINARY, COMPACT, JSON, METADATA_JSON, Encoding(ENCODINGS[5]), TEXT_JSON)
"""By the numbers of `words`; the last but one reads nothing."""
