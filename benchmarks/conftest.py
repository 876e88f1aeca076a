"""What the report says about the machine and the versions that were measured."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import l7codecs

from .http2_sides import nghttp2_missing


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, object]) -> None:
    """Add to the JSON report what the table's caption needs."""
    machine_info["l7codecs"] = {
        "version": l7codecs.__version__,
        "compiled": l7codecs.__compiled__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "peers": {
            "hiredis": version("hiredis"),
            "redis-py": version("redis"),
            "tshark": _tshark(),
            "h2": version("h2"),
            "hpack": version("hpack"),
            "jh2": version("jh2"),
            "nghttp2": _nghttp2(),
            "kio": version("kio"),
            "kafka-python": version("kafka-python"),
            "aiokafka": version("aiokafka"),
            "python-hessian": version("python-hessian"),
            "dubbo-python": "0.0.4",
            "hessian.js": "2.11.0",
            "hessian-lite": "4.0.4",
            "thrift": version("thrift"),
            "thriftpy2": version("thriftpy2"),
        },
    }


def _cpu() -> str:
    """The processor's own name, where the system tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _tshark() -> str:
    if shutil.which("tshark") is None:
        return "not installed"
    line = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    found = re.search(r"\d+(\.\d+)+", line)
    return found[0] if found else line


def _nghttp2() -> str:
    """The version of the library that `nghttp2_walk.c` is built with."""
    if nghttp2_missing() is not None:
        return "not installed"
    header = b"#include <nghttp2/nghttp2ver.h>\nfound: NGHTTP2_VERSION\n"
    done = subprocess.run(["cc", "-E", "-P", "-x", "c", "-"], input=header, capture_output=True, check=True)
    found = re.search(rb'^found: "(.*)"', done.stdout, re.MULTILINE)
    return found[1].decode() if found else "unknown"
