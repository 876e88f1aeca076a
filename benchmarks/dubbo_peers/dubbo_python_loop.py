"""dubbo-python, whose package is named as apache-dubbo's, so in a process of its own: reads the heads of a file's bodies again and again.

``dubbo_python_loop.py BODIES FOLDER``, where FOLDER holds the package; see HessianLoop.java.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter_ns

sys.path.insert(0, sys.argv[2])

from dubbo.codec.decoder import Response


def main() -> None:
    octets = Path(sys.argv[1]).read_bytes()
    bodies = []
    at = 0
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 4], "big")
        bodies.append(octets[at + 4 : at + 4 + size])
        at += 4 + size
    for line in sys.stdin:
        _, rounds = line.split()
        found = ("", "", "")
        begun = perf_counter_ns()
        for _ in range(int(rounds)):
            for body in bodies:
                reader = Response(body)
                reader.read_next()
                found = (reader.read_next(), reader.read_next(), reader.read_next())
        taken = perf_counter_ns() - begun
        print(taken, *found, flush=True)


if __name__ == "__main__":
    main()
