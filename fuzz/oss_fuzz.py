"""A fuzzer of one protocol as OSS-Fuzz runs it: libFuzzer's arguments, and an exception where a promise is broken. See build.sh."""

import random
import sys
from pathlib import Path

import atheris

HERE = Path(getattr(sys, "_MEIPASS", Path(__file__).parent))

# What is imported later tells nothing of what it covers: a room is, where it is asked for first.
with atheris.instrument_imports(include=["l7codecs", "@package@"]):
    from l7codecs.registry import load_protocols
    from l7codecs.testing.fuzzing import Fuzzer, load_material

    load_protocols()


def main() -> None:
    fuzzer = Fuzzer(load_material("@protocol@", folder=HERE))
    mutator = fuzzer.mutator(fuzzer.seeds())

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        return mutator.mutate(
            bytes(data),
            most,
            random.Random(seed),
            lambda octets, size: bytes(atheris.Mutate(octets, size)) if octets else octets,
        )

    atheris.Setup(sys.argv, fuzzer.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
