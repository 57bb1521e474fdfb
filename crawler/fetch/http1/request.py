"""Writes the head of a request (RFC 9112 section 3). No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from urllib.parse import unquote

from crawler import __version__
from crawler.fetch.auth.credentials import Credentials, basic
from crawler.fetch.http1.codings import ACCEPT_ENCODING
from crawler.fetch.target import URL, Target
from crawler.model.errors import ProtocolFailure
from crawler.model.http import Header, Request
from crawler.model.http_config import HttpConfig
from crawler.model.redact import is_secret

USER_AGENT = f"orbweb/{__version__}"
"""The default User-Agent, to which users add their contact (`http.contact`)."""


def user_agent(config: HttpConfig) -> str:
    """The User-Agent of a crawl."""
    contact = f" (+{config.contact})" if config.contact else ""
    return config.user_agent or USER_AGENT + contact


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_MAX_FIXED = 1024


class RequestWriter:
    """Writes request heads. The part that all requests to an origin share is cached.

    Configured headers that are secret (Authorization, Cookie, X-Api-Key and the names
    in `secret`, in lower case) are only sent to the `trusted` origins, because a page
    may link to any server.
    """

    def __init__(
        self, config: HttpConfig, trusted: Collection[str], secret: Collection[str] = ()
    ) -> None:
        shared = {
            "user-agent": _line("User-Agent", user_agent(config)),
            "accept-encoding": _line("Accept-Encoding", ACCEPT_ENCODING),
        }
        self._trusted = trusted
        own = {
            name.lower(): _line(name, value) for name, value in config.headers.items()
        }
        self._for_trusted = shared | own
        self._for_others = {
            name: line
            for name, line in self._for_trusted.items()
            if not (name in secret or is_secret(name))
        }
        self._has_referer = "referer" in own  # used for URLs without a referring page
        self._cookie = next(
            (v for k, v in config.headers.items() if k.lower() == "cookie"), None
        )
        self._fixed: dict[tuple[str, str], str] = {}

    def write(
        self,
        request: Request,
        target: Target,
        auth_headers: Sequence[Header] = (),
        absolute: bool = False,
    ) -> bytes:
        """The head of `request`, empty line included.

        `absolute`: write the request target in absolute form, for a proxy. A header of
        the request takes precedence over one of `auth_headers` (the Cookie and
        Authorization of the crawl), then follow the configured headers, then the
        client's own. Only a configured Cookie and the crawl's are combined. Raises
        ProtocolFailure (stage request) for a header that cannot be sent.
        """
        replaces = self._has_referer and request.referer is not None
        is_post = request.method == "POST"
        if request.headers or auth_headers or target.userinfo or replaces or is_post:
            fields = "".join(self._lines(request, target, auth_headers).values())
        else:
            fields = self._fixed.get((target.origin, request.accept)) or self._fix(
                request, target
            )
            if request.referer is not None and (
                referer := _referer(request.referer, target)
            ):
                fields += f"Referer: {referer}\r\n"
        where = f"http://{target.authority}{target.path}" if absolute else target.path
        return f"{request.method} {where} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")

    def _fix(self, request: Request, target: Target) -> str:
        if len(self._fixed) >= _MAX_FIXED:
            self._fixed.clear()
        lines = self._shared(request, target)
        fixed = self._fixed[target.origin, request.accept] = "".join(lines.values())
        return fixed

    def _shared(self, request: Request, target: Target) -> dict[str, str]:
        lines = {
            "host": f"Host: {target.authority}\r\n",
            "accept": _line("Accept", request.accept),
        }
        trusted = target.origin in self._trusted
        return lines | (self._for_trusted if trusted else self._for_others)

    def _lines(
        self, request: Request, target: Target, auth_headers: Sequence[Header]
    ) -> dict[str, str]:
        lines = self._shared(request, target)
        if request.referer is not None and (
            referer := _referer(request.referer, target)
        ):
            lines["referer"] = _line("Referer", referer)
        if target.userinfo:
            lines["authorization"] = _line("Authorization", _basic(target.userinfo))
        for name, value in auth_headers:
            if name == "Cookie" and "cookie" in lines:
                value = f"{self._cookie}; {value}"
            lines[name.lower()] = _line(name, value)
        for name, value in request.headers:
            lines[name.lower()] = _line(name, value)
        if request.method == "POST":
            lines["content-length"] = f"Content-Length: {len(request.content)}\r\n"
        return lines


def _line(name: str, value: str) -> str:
    if not (_TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
        raise ProtocolFailure(
            f"the header {name!r} contains characters that cannot be sent",
            stage="request",
        )
    return f"{name}: {value}\r\n"


def _referer(url: str, target: Target) -> str | None:
    """The Referer that `target` may see, or None.

    The policy is strict-origin-when-cross-origin, the browsers' default (W3C Referrer
    Policy section 3.7), because the query of a page of another origin may be secret.
    """
    origin, path = _without_secrets(url)
    if not origin or (origin.startswith("https:") and not target.secure):
        return None
    return origin + (path if origin == target.origin else "/")


@lru_cache(maxsize=64)
def _without_secrets(url: str) -> tuple[str, str]:
    """The origin, and the path with the query, of a URL; twice "" if it is none.

    The pictures of a page are requested one after the other.
    """
    match = URL.fullmatch(url)
    return ("", "") if match is None else (f"{match[1]}://{match[3]}", match[6])


def _basic(userinfo: str) -> str:
    """The Basic credentials in a URL, which are percent-encoded there."""
    user, _, password = userinfo.partition(":")
    return basic(Credentials(unquote(user), unquote(password)))
