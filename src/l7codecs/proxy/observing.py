"""Who looks at what the engine does: metrics, logs, traces.

An engine calls its observers from its event loop, at once: what takes long, or may wait, is for another task or thread. What one raises is
told once and ends nothing but that observer; what the plugin of a message raises when an observer looks at that ends not even this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from traceback import extract_tb
from typing import Final, final

from mypy_extensions import mypyc_attr

from l7codecs.json_lines import json_line
from l7codecs.kinds import Address
from l7codecs.message import Message
from l7codecs.proxy.exchange import Exchange
from l7codecs.records import message_record
from l7codecs.registry import BROKEN

__all__ = ["Observer", "Observers", "said"]

_FAULTS: Final = 100
"""So many places at which plugins fail are told."""
_SAID: Final = 200
"""Characters that are told of what was raised."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Observer:
    """What is told of connections and exchanges; subclasses override what they want to know."""

    wants_begun: bool = False
    """Whether `begun` is called: what nobody wants to know costs nothing. Subclasses set it before the engine starts."""

    def connected(self, listener: str, peer: Address | None) -> None:
        """A client has connected; `peer` is None of a Unix socket."""

    def disconnected(self, listener: str, peer: Address | None) -> None:
        """Its connection has ended."""

    def host_connected(self, cluster: str, host: str) -> None:
        """A connection to a host is made."""

    def host_disconnected(self, cluster: str, host: str, failed: bool) -> None:
        """It has ended, or could not be made (`failed`)."""

    def begun(self, exchange: Exchange) -> Mapping[str, str] | None:
        """A request is about to be sent to ``exchange.cluster``; returns headers to set in it, where its protocol can change them."""
        return None

    def ended(self, exchange: Exchange) -> None:
        """An exchange is over. Called once for each request, one-way ones and those that were refused included."""

    def refused(self, listener: str, text: str, peer: Address | None) -> None:
        """A client has broken the protocol (or a limit), or left off in the middle of a message, and its connection is closed; or TLS
        has not come about, where `peer` is None.
        """

    def reopen(self) -> None:
        """Files that are written may have been moved: open them again."""


@final
class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.each: list[Observer] = list(observers)
        self.wants_begun = False
        for observer in self.each:
            if observer.wants_begun:
                self.wants_begun = True
        self.failed: list[str] = []
        """What observers have raised, each once; those are asked no more. And what plugins have, once for each place; and that a log
        fails.
        """
        self._places: set[str] = set()

    def connected(self, listener: str, peer: Address | None) -> None:
        for observer in self.each:
            try:
                observer.connected(listener, peer)
            except Exception as error:
                self._drop(observer, error)

    def disconnected(self, listener: str, peer: Address | None) -> None:
        for observer in self.each:
            try:
                observer.disconnected(listener, peer)
            except Exception as error:
                self._drop(observer, error)

    def host_connected(self, cluster: str, host: str) -> None:
        for observer in self.each:
            try:
                observer.host_connected(cluster, host)
            except Exception as error:
                self._drop(observer, error)

    def host_disconnected(self, cluster: str, host: str, failed: bool) -> None:
        for observer in self.each:
            try:
                observer.host_disconnected(cluster, host, failed)
            except Exception as error:
                self._drop(observer, error)

    def begun(self, exchange: Exchange) -> dict[str, str] | None:
        found: dict[str, str] | None = None
        for observer in self.each:
            if not observer.wants_begun:
                continue
            try:
                headers = observer.begun(exchange)
            except BROKEN as error:
                self._failed_at(observer, error, exchange)
                continue
            if headers:
                if found is None:
                    found = {}
                found.update(headers)
        return found

    def ended(self, exchange: Exchange) -> None:
        for observer in self.each:
            try:
                observer.ended(exchange)
            except BROKEN as error:
                self._failed_at(observer, error, exchange)

    def refused(self, listener: str, text: str, peer: Address | None) -> None:
        for observer in self.each:
            try:
                observer.refused(listener, text, peer)
            except Exception as error:
                self._drop(observer, error)

    def reopen(self) -> None:
        for observer in self.each:
            try:
                observer.reopen()
            except Exception as error:
                self._drop(observer, error)

    def fault(self, protocol: str, error: BaseException) -> None:
        """The plugin of `protocol` has raised what no plugin may."""
        frames = extract_tb(error.__traceback__)
        place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        known = f"{protocol} {type(error).__name__}{place}"
        if known not in self._places and len(self._places) < _FAULTS:
            self._places.add(known)
            self.failed.append(f"the plugin of {protocol} is at fault: {said(error)}{place}")

    def _failed_at(self, observer: Observer, error: BaseException, exchange: Exchange) -> None:
        """`observer` has raised `error` of `exchange`: by its own fault, or by that of a plugin, where others cannot read it either."""
        request = exchange.request
        if _is_readable(request) and (exchange.answer is None or _is_readable(exchange.answer)):
            self._drop(observer, error)
        else:
            self.fault(request.protocol, error)

    def _drop(self, observer: Observer, error: BaseException) -> None:
        self.each = [each for each in self.each if each is not observer]
        self.failed.append(f"{type(observer).__name__} is dropped: {said(error)}")


def said(error: BaseException) -> str:
    """What was raised, as text."""
    try:
        return f"{type(error).__name__}: {error}"[:_SAID]
    except BROKEN:
        return type(error).__name__  # it does not even say what it is


def _is_readable(message: Message) -> bool:
    try:
        json_line(message_record(message, 0.0, ""))
    except BROKEN:
        return False
    return True
