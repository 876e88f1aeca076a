"""Attachments of JSONB as headers have them: see `plain`, whose words these are.

What JSONB has beside: an object of a class has ``class`` first, any other value of a class is that value; a decimal is its digits; a date
without a zone is as it is; what a reference stands for is "…".
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import final

from .._jsonb.values import Pairs, Typed
from .plain import Fields, Texts, iso_date

__all__ = ["JsonbTexts"]


@final
class JsonbTexts(Texts):
    """The headers of one message."""

    def form(self, value: object) -> object:
        while isinstance(value, Typed):
            inside = value.value
            if isinstance(inside, dict):
                return Fields([(key, item) for key, item in inside.items()], value.class_name)
            value = inside
        if isinstance(value, Pairs):
            return Fields([(key, item) for key, item in value.pairs])
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, (date, time)):
            return iso_date(value) if isinstance(value, datetime) and value.tzinfo is not None else value.isoformat()
        return value
