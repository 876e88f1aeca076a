"""Show that `make fuzz-sanitized` would find something: plant a fault in the C of one module, and fuzz that.

    python fuzz/find_planted.py

Behind `make fuzz-sanitized`, whose objects it takes: one unit is compiled. A copy of the sources gets a build hook that lets ThriftMux read
sizes of frames 16 octets too far, which no check of Python's notices: most reads stay within the octets, some leave them. Exit status 0
where AddressSanitizer reports that, 1 where nothing does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = "thriftmux"
UNIT = "__native_l7codecs_thrift____mux___session.c"
BEFORE = "        text = with_direct_slices("
PLANTED = r"""        if source.name == "UNIT":
            far = r"(int32_t)__builtin_bswap32(*(const uint32_t *)(PyBytes_AS_STRING(\1) + (\2) + 16))"
            text, count = re.subn(r"CPyBytes_ReadI32BE\(([^,()]+), ([^,()]+)\)", far, text)
            assert count, "nothing to plant a fault in"
""".replace("UNIT", UNIT)


def run(*command: str | Path, folder: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, errors="replace", check=False
    )


def build(copy: Path) -> Path:
    """Compile a copy with the fault in it; returns its Python."""
    for part in ("src", "protocols", "build_hook", "fuzz"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "corpus"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, copy)
    hook = copy / "build_hook" / "compile.py"
    text = hook.read_text("utf-8")
    assert text.count(BEFORE) == 1
    hook.write_text(text.replace(BEFORE, PLANTED + BEFORE), "utf-8")
    subprocess.run([sys.executable, "-m", "venv", copy / ".venv"], check=True)
    python = copy / ".venv" / "bin" / "python"
    compiler = str(ROOT / "fuzz" / "sanitized-cc")
    done = run(
        python, "-m", "pip", "install", "-q", "-e", ".[all]",
        folder=copy,
        more={
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared",
            "ASAN_OPTIONS": "detect_leaks=0",
            "L7CODECS_OBJECTS": str(ROOT / "build" / "objects-sanitized"),
            "L7CODECS_REQUIRE_COMPILED": "1",
        },
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return python


def library(name: str) -> str:
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="l7codecs-planted-") as folder:
        copy = Path(folder)
        python = build(copy)
        done = run(
            python, "fuzz/sanitized.py", PROTOCOL, "60",
            folder=copy,
            more={
                "LD_PRELOAD": f"{library('libasan.so')}:{library('libubsan.so')}",
                "PYTHONMALLOC": "malloc",
                "ASAN_OPTIONS": "detect_leaks=0",
                "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            },
        )  # fmt: skip
    said = [
        line for line in done.stderr.splitlines() if "Sanitizer" in line or "runtime error" in line or "#0 " in line
    ]
    print("\n".join(said[:6]) or f"NOT FOUND: {done.stdout[-500:]}{done.stderr[-500:]}")
    return int(not said)


if __name__ == "__main__":
    sys.exit(main())
