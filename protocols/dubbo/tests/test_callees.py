"""Who is called, looked up by the octets that say so."""

from __future__ import annotations

import pytest

from l7codecs_dubbo._body.callees import find_callee
from l7codecs_dubbo._hessian.writer import Writer


def said(*texts: str | None) -> bytes:
    writer = Writer()
    for text in texts:
        writer.string(text)
    return writer.getvalue()


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("a.B", "1.2.3", "m"), ("a.B", "1.2.3", "m")),
        (("a.B", "0.0.0", "m"), ("a.B", None, "m")),
        (("a.B", "", "m"), ("a.B", None, "m")),
        (("a.B", None, "m"), ("a.B", None, "m")),
        ((None, "1", None), (None, "1", None)),
        (("é😀", "1", ""), ("é😀", "1", "")),
        (("x" * 300, "1", "m"), ("x" * 300, "1", "m")),
        (("a.B", "1", "$invoke"), None),
        (("a.B", "1", "$echo"), None),
    ],
)
def test_found(texts: tuple[str | None, ...], found: tuple[str | None, ...] | None) -> None:
    """What the strings say, when they come first and when they come again, and wherever they stand."""
    octets = said(*texts)
    for before in (b"", b"\x052.0.2", b"\xff" * 9):
        callee = find_callee(before + octets + b"\x12Ljava", len(before), len(before) + len(octets) + 6)
        if found is None:
            assert callee is None
        else:
            assert callee is not None
            assert (callee.service, callee.version, callee.method) == found
            assert callee.size == len(octets)


def test_what_cannot_be_read() -> None:
    octets = said("a.B", "1.2.3", "m")
    for stop in range(len(octets)):
        assert find_callee(octets, 0, stop) is None
    assert find_callee(b"\x90" + octets, 0, len(octets)) is None


def test_the_same_method_is_one_object_until_many_others_came() -> None:
    octets = said("a.B", "1.2.3", "same")
    first = find_callee(octets, 0, len(octets))
    assert find_callee(b"\x00" + octets, 1, len(octets) + 1) is first
    for number in range(1200):
        other = said("a.B", "1.2.3", f"m{number}")
        callee = find_callee(other, 0, len(other))
        assert callee is not None and callee.method == f"m{number}"
    again = find_callee(octets, 0, len(octets))
    assert again is not None and again is not first and again.method == "same"


def test_arguments_of_methods_that_share_a_name() -> None:
    """Each descriptor says its own count, whichever came before it with the same method."""
    octets = said("a.B", "1.2.3", "overloaded")
    callee = find_callee(octets, 0, len(octets))
    assert callee is not None
    for descriptor, count in [
        ("I", 1),
        ("IJ", 2),
        ("I", 1),
        ("", 0),
        ("x", -1),
        ("I" * 300, 300),
        ("IJ", 2),
        ("x", -1),
    ]:
        for before in (b"", b"\xff" * 5):
            written = said(descriptor)
            found = callee.arguments(before + written, len(before), len(before) + len(written))
            assert found == count, descriptor
    assert callee.arguments(said(None), 0, 1) == 0


def test_methods_whose_octets_end_alike_are_told_apart() -> None:
    """They have one place among those that came last."""
    texts = [(f"org.{letter}.LongEnoughService", "1.2.3", "placeOrder") for letter in "abc"]
    for service, version, method in texts * 3:
        octets = said(service, version, method)
        callee = find_callee(octets, 0, len(octets))
        assert callee is not None and (callee.service, callee.version, callee.method) == (service, version, method)
