"""Who may come in: by Host, Origin and token.

A server on a loopback address is for this machine's user. A page of another site must not reach it,
neither by a WebSocket of its own, which browsers allow (so the Origin must be ours), nor by a name
that it has made to mean 127.0.0.1 (DNS rebinding; so the Host must be a loopback name). A server
that others can reach wants a token instead, which the link contains.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from thalweg.base.record import Record

__all__ = ["Guard", "is_loopback"]


class Guard(Record):
    """Decides about requests.

    Attributes:
        token: that a WebSocket must say; "" for none.
        is_local: whether only this machine may come in.
    """

    token: str
    is_local: bool

    def admits_host(self, headers: Mapping[str, str]) -> bool:
        """Whether a request is meant for this server, by its Host."""
        name = _name(f"//{headers.get('host', '')}")
        return bool(name) and (not self.is_local or is_loopback(name))

    def admits_socket(self, headers: Mapping[str, str]) -> bool:
        """Whether a WebSocket may be opened: by our page, or a program that is no browser."""
        if not self.admits_host(headers):
            return False
        origin = headers.get("origin")
        try:
            return origin is None or urlsplit(origin).netloc == headers.get("host")
        except ValueError:
            return False

    def admits_token(self, token: str) -> bool:
        """Whether somebody knows the token, if there is one."""
        return not self.token or hmac.compare_digest(token.encode(), self.token.encode())


def is_loopback(host: str) -> bool:
    """Whether a name or address always means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
