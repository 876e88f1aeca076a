"""The process that `l7codecs fuzz` starts: what it fuzzes stands in the request, one JSON object, that it is given."""

from __future__ import annotations

import json
from pathlib import Path

from l7codecs.testing.fuzzing.engine import FOUND, NOT_AGAIN, Fuzzer, inputs_of
from l7codecs.testing.fuzzing.material import load_material

__all__ = ["main"]


def main(request: str) -> int:
    """Do what `request` asks for; returns the exit status."""
    said = json.loads(request)
    material = load_material(
        said["protocol"],
        vectors=[Path(each) for each in said["vectors"]],
        dictionary=Path(said["dictionary"]) if said["dictionary"] else None,
        corpus=Path(said["corpus"]) if said["corpus"] else None,
    )
    fuzzer = Fuzzer(material, said["targets"], said["seed"])
    fuzzer.keep_going = said["keep_going"]
    folder = Path(said["folder"])
    if said["shrink"]:
        path = Path(said["shrink"])
        data = path.read_bytes()
        if fuzzer.fails(data) is None:
            return NOT_AGAIN
        data = fuzzer.shrink(data)
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{fuzzer.says(data)}\n{fuzzer.explain(data)}", "utf-8", "backslashreplace")
        return 0
    kept = [data for _, data in inputs_of([material.corpus] if material.corpus and material.corpus.is_dir() else [])]
    grown = Path(said["grown"])
    if said["guided"]:
        fuzzer.guided(said["seconds"], grown, folder, kept, said["runs"])
    else:
        fuzzer.loop(said["seconds"], grown, folder, kept, said["runs"], said["blind"])
    return FOUND if fuzzer.found else 0
