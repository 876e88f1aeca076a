"""What vectors say is what stands beside them."""

from __future__ import annotations

from l7codecs.testing.conformance.base import ConformanceBase
from l7codecs.testing.golden import SUFFIX, difference_from_golden, golden_lines, golden_path
from l7codecs.testing.vectors import Vector

__all__ = ["Golden"]


class Golden(ConformanceBase):
    """Golden files, as `l7codecs.testing.golden` writes them."""

    def test_it_says_what_the_golden_file_says(self, vector: Vector) -> None:
        if not self.golden:
            return
        assert vector.path is not None, (
            f"{vector.name} was loaded from no file, so no golden file can stand beside it: load_vectors, or `golden = False`"
        )
        path = golden_path(vector)
        command = f"python -m l7codecs.testing golden {self._name()} {path.parent} {vector.name}"
        assert path.exists(), f"{vector.name} has no golden file: write it with `{command}`, and review what it says"
        difference = difference_from_golden(
            golden_lines(self.outcome(vector, eof=True), self.loaded()), path.read_text("utf-8")
        )
        assert not difference, f"{vector.name}: {difference} (where the new is right: `{command}`)"

    def test_no_golden_file_is_left_over(self) -> None:
        if not self.golden:
            return
        known = {golden_path(vector) for vector in self.vectors if vector.path is not None}
        for folder in {path.parent for path in known}:
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                assert path in known, f"{path}: no vector has this name; remove it"

    def _name(self) -> str:
        return self.protocol if isinstance(self.protocol, str) else "package.module:NAME"
