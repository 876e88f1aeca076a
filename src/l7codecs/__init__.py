"""Streaming, sans-IO parsers for L7 protocols behind one metadata interface.

    session = l7codecs.open_session("auto")
    for event in session.receive(Sender.CLIENT, data):
        print(event.kind, event.operation, event.resources)

Protocols are plugins, found through entry points; this package knows none of them by name.
"""

from __future__ import annotations

import sys as _sys

if _sys.argv[:1] == ["-m"] and ("-m", "l7codecs") in zip(_sys.orig_argv, _sys.orig_argv[1:], strict=False):
    # ``python -m l7codecs`` imports all of this before its own first line: see that package.
    import l7codecs_command

    l7codecs_command.begin()

from l7codecs import buffer as _buffer
from l7codecs.buffer import Buffer
from l7codecs.config import Config, ConfigError, ConfigProblem, ConfigValue, RouteFormat
from l7codecs.decoder import Decoder, FramedDecoder
from l7codecs.detect import AutoSession, Candidate, detect
from l7codecs.endpoint.changes import Changes
from l7codecs.endpoint.ordering import AnswerOrder
from l7codecs.errors import (
    IncompleteMessage,
    L7Error,
    LimitExceeded,
    PluginWarning,
    ProtocolError,
    RegistryError,
    Unsupported,
)
from l7codecs.headers import Headers, HeaderValue
from l7codecs.kinds import Address, AttrValue, Kind, RequestId, Sender, Status
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.message import Data, Event, Flow, Gap, Message, Opaque
from l7codecs.pairing.alignment import Alignment
from l7codecs.pairing.keyed import IdPairing, StreamPairing, new_pairing
from l7codecs.pairing.lanes import LanePairing
from l7codecs.pairing.numbering import StrictPairing, put_number
from l7codecs.pairing.quiet import QuietPairing
from l7codecs.pairing.tables import FifoPairing, Pairing, PairingTable
from l7codecs.protocol import Attribute, Detection, Direction, Protocol, Verdict, pairings
from l7codecs.registry import ProtocolEntry, get_protocol, list_protocols, load_protocols, usable_protocols
from l7codecs.session import Session
from l7codecs.sharing import Knowledge, Memory, Shared
from l7codecs.text.lines import LineDecoder
from l7codecs.text.verbs import Line, LineMessage, Verb
from l7codecs.ties import Tie, Ties

__all__ = [
    "Address",
    "Alignment",
    "AnswerOrder",
    "AttrValue",
    "Attribute",
    "AutoSession",
    "Buffer",
    "Candidate",
    "Changes",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "ConfigValue",
    "Data",
    "Decoder",
    "Detection",
    "Direction",
    "Event",
    "FifoPairing",
    "Flow",
    "FramedDecoder",
    "Gap",
    "HeaderValue",
    "Headers",
    "IdPairing",
    "IncompleteMessage",
    "Kind",
    "Knowledge",
    "L7Error",
    "LanePairing",
    "LimitExceeded",
    "Limits",
    "Line",
    "LineDecoder",
    "LineMessage",
    "Memory",
    "Message",
    "Opaque",
    "Pairing",
    "PairingTable",
    "PluginWarning",
    "Protocol",
    "ProtocolEntry",
    "ProtocolError",
    "QuietPairing",
    "RegistryError",
    "RequestId",
    "RouteFormat",
    "Sender",
    "Session",
    "Shared",
    "Status",
    "StreamPairing",
    "StrictPairing",
    "Tie",
    "Ties",
    "Unsupported",
    "Verb",
    "Verdict",
    "detect",
    "get_protocol",
    "list_protocols",
    "load_protocols",
    "new_pairing",
    "open_session",
    "pairings",
    "put_number",
]

__version__ = "0.1.0"

__compiled__: bool = not _buffer.__file__.endswith(".py")
"""Whether the hot modules run as compiled extensions."""


def open_session(
    protocol: str | Protocol = "auto",
    *,
    limits: Limits = DEFAULT_LIMITS,
    endpoint: Sender | None = None,
    client: Address | None = None,
    server: Address | None = None,
    shared: Shared | None = None,
) -> Session:
    """A session for one connection of `protocol`: a registered name, a `Protocol`, or ``"auto"`` to detect it.

    `endpoint` is the side that the caller plays, None for an observer; `client` and `server` are addresses to put in the attributes of
    messages. Sessions that have one `shared` teach each other names, of protocols that have such.
    Raises `RegistryError` for a name that is not registered.
    """
    if protocol == "auto":
        return AutoSession(Flow("auto", client, server), usable_protocols(), limits, endpoint, shared)
    if isinstance(protocol, str):
        protocol = get_protocol(protocol)
    return protocol.open(limits=limits, endpoint=endpoint, client=client, server=server, shared=shared)
