"""A pytest plugin: a run in which a test was skipped fails (`pytest -p no_skips`).

A test that is skipped checks nothing, and a green run hides it. `--allow-skip REGEX` names the reasons that are fine;
it may be given more than once. `--allow-skip-marked NAME` allows every reason to tests that are marked so.
"""

from __future__ import annotations

import re

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        "--allow-skip", action="append", default=[], metavar="REGEX", help="a reason for which a test may be skipped"
    )
    parser.addoption(
        "--allow-skip-marked", action="append", default=[], metavar="NAME", help="a mark whose tests may be skipped"
    )


class _Skips:
    """The skipped tests of one run, with their reasons."""

    def __init__(self, allowed: list[str], marked: list[str]) -> None:
        self.allowed = [re.compile(pattern) for pattern in allowed]
        self.marked = marked
        self.found: list[str] = []

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if any(name in report.keywords for name in self.marked):
                return
            if not any(pattern.search(reason) for pattern in self.allowed):
                self.found.append(f"{report.nodeid}: {reason}")

    pytest_runtest_logreport = note
    pytest_collectreport = note

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            terminalreporter.section("skipped, but has to run")
            for line in self.found:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Start to collect."""
    config.pluginmanager.register(_Skips(config.getoption("--allow-skip"), config.getoption("--allow-skip-marked")))
