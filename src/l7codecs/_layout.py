"""Which classes may inherit from compiled ones.

mypyc lays out an object in C, the base's part first. It knows the layout of bases that it compiles together; of all other bases it
assumes that they are interpreted. So a class that is compiled apart from its compiled base overwrites it, and the process dies.
"""

from __future__ import annotations

import sys

_GROUP = "l7codecs__mypyc"  # the library that all our compiled modules are in


def check_layout(cls: type) -> None:
    """Refuse `cls`, a subclass of one of our classes, where it is compiled apart from that. Raises TypeError."""
    group = sys.modules.get(_GROUP)
    if group is None or "__mypyc_attrs__" not in vars(cls):
        return  # our classes are interpreted, or this one is
    if not hasattr(group, "init_" + cls.__module__.replace(".", "___")):
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__} is compiled apart from l7codecs and cannot inherit from its compiled classes; "
            f"decorate it with @mypyc_attr(native_class=False), or leave its module interpreted"
        )
