"""TLS on both sides, from files; names of protocols (ALPN) as `Protocol.alpn` has them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable

from l7codecs.proxy.settings import TlsClient, TlsServer

__all__ = ["client_context", "server_context", "tell_failures"]


def server_context(settings: TlsServer, alpn: Iterable[str]) -> ssl.SSLContext:
    """What a listener shows. Raises OSError (`ssl.SSLError` is one) where the files are not what they should be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key, _no_password)
    if settings.clients is not None:
        context.load_verify_locations(settings.clients)
        context.verify_mode = ssl.CERT_REQUIRED
    names = list(alpn)
    if names:
        context.set_alpn_protocols(names)
    return context


def tell_failures(context: ssl.SSLContext, told: Callable[[str], None]) -> None:
    """Call `told` with what is wrong whenever a client of `context` and we do not come to terms: a loop keeps that to itself."""

    class Telling(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", None) or error.reason or str(error)
                told(f"saw no TLS that can be agreed on: {reason}")
                raise

    context.sslobject_class = Telling


def client_context(settings: TlsClient, alpn: Iterable[str]) -> ssl.SSLContext:
    """What is asked of servers. Raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate is not None:
        context.load_cert_chain(settings.certificate, settings.key, _no_password)
    names = list(alpn)
    if names:
        context.set_alpn_protocols(names)
    return context


def _no_password() -> str:
    """For a key that is encrypted: nobody is asked, so it cannot be read."""
    return ""
