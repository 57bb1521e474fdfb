"""Which cookies and credentials are sent to which origin. No I/O.

The rule for all secrets that the user configures: a secret belongs to an *origin*
(scheme, host and port), not to a host name. So no redirect, link or image can make the
crawler send it elsewhere; not even to another port of the same host, or over plain http
where https was meant. One upgrade is allowed: from http to https of the same host on
the default ports, because an attacker who can read the former gains nothing from the
latter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.target import Target, parse_target
from crawler.model.errors import ProtocolFailure
from crawler.model.http import Header, Request, Response
from crawler.model.url import join_header

if TYPE_CHECKING:
    from crawler.fetch.auth.challenges import Authenticator

MAX_AUTHENTICATORS = 1024


def trusted_origins(named: Collection[str]) -> frozenset[str]:
    """The origins that the user named, with https for http on its default port."""
    plain = [url for url in named if url.startswith("http://")]
    upgradable = [
        url
        for url in plain
        if ":" not in url.removeprefix("http://").rpartition("]")[2]
    ]
    return frozenset(named).union(
        "https" + url.removeprefix("http") for url in upgradable
    )


class SessionAuth:
    """Cookies and credentials of one crawl.

    `credentials` are for the `trusted` origins. `netrc` contains others by host: they
    are sent to https on its default port, and to other origins of that host only if
    these are trusted; those of "" (`default`) are only sent to trusted origins.
    `cookie_pairs`: values of cookies by name, for the trusted origins; a cookie of the
    jar replaces one of the same name. `clock` returns seconds since the epoch; `nonce`:
    see `Authenticator`.
    """

    def __init__(
        self,
        jar: CookieJar,
        trusted: Collection[str],
        credentials: Credentials | None,
        netrc: Mapping[str, Credentials],
        clock: Callable[[], float],
        nonce: Callable[[], str],
        cookie_pairs: Mapping[str, str] | None = None,
    ) -> None:
        self.jar = jar
        self.trusted = trusted
        self._credentials = credentials
        self._netrc = netrc
        self._clock = clock
        self._nonce = nonce
        self._authenticators: OrderedDict[str, Authenticator] = OrderedDict()
        # Header values are latin-1 here; browsers send cookies in UTF-8.
        self._cookie_pairs = {
            name.encode().decode("latin-1"): value.encode().decode("latin-1")
            for name, value in (cookie_pairs or {}).items()
        }

    def headers(self, request: Request, target: Target) -> list[Header]:
        """The Cookie and Authorization headers of `request`, where there are any."""
        found: list[Header] = []
        if self.jar or self._cookie_pairs:
            cookies = self._cookies(request, target)
            if cookies is not None:
                found.append(("Cookie", cookies))
        login = (
            self._authenticators.get(target.origin) if self._authenticators else None
        )
        if login is not None:
            authorization = login.authorization(request.method, target.path)
            if authorization is not None:
                found.append(("Authorization", authorization))
        return found

    def _cookies(self, request: Request, target: Target) -> str | None:
        """The value of the Cookie header of `request`; None without cookies."""
        cookies = self.jar.header(_context(request, target), self._clock())
        if not self._cookie_pairs or target.origin not in self.trusted:
            return cookies
        of_jar = cookies.split("; ") if cookies else []
        names = {pair.partition("=")[0] for pair in of_jar}
        given = [
            f"{name}={value}"
            for name, value in self._cookie_pairs.items()
            if name not in names
        ]
        return "; ".join([*given, *of_jar])

    def store_cookies(
        self, request: Request, target: Target, response: Response
    ) -> None:
        """Store the cookies of a response."""
        values = response.values("set-cookie")
        if values:
            self.jar.receive(values, _context(request, target), self._clock())

    def handle_challenge(
        self, target: Target, response: Response, sent: list[Header]
    ) -> bool:
        """Process a 401; return whether to send the request again with credentials.

        `sent`: the headers that `headers` gave for the request.
        """
        login = self._authenticators.get(target.origin) or self._new_authenticator(
            target
        )
        if login is None:
            return False
        values = response.values("www-authenticate")
        authorization = next(
            (value for name, value in sent if name == "Authorization"), None
        )
        return login.handle_challenge(values, authorization)

    def redirect_after_cookie(
        self, request: Request, response: Response, sent: list[Header]
    ) -> str | None:
        """The target of a redirect into its own chain that now gets other cookies.

        Some sites set a cookie and redirect back to the URL that was requested. The
        frontier has seen that URL already, so the client has to request it again at
        once. None: there is no such redirect, or the cookies would be the same.
        """
        location = response.header("location")
        url = join_header(response.url, location) if location is not None else None
        if url is None or url not in (request.url, *request.chain):
            return None
        cookies = self._cookies(replace(request, url=url), parse_target(url))
        return url if cookies is not None and ("Cookie", cookies) not in sent else None

    def _new_authenticator(self, target: Target) -> Authenticator | None:
        credentials = self._find(target)
        if credentials is None:
            return None
        if len(self._authenticators) >= MAX_AUTHENTICATORS:
            self._authenticators.popitem(last=False)
        from crawler.fetch.auth.challenges import Authenticator  # few servers ask

        login = self._authenticators[target.origin] = Authenticator(
            credentials, self._nonce
        )
        return login

    def _find(self, target: Target) -> Credentials | None:
        if target.origin in self.trusted:
            return (
                self._credentials or self._netrc.get(target.host) or self._netrc.get("")
            )
        if target.origin == f"https://{target.host}":
            return self._netrc.get(target.host)
        return None


def _context(request: Request, target: Target) -> RequestContext:
    initiator = page_origin(request.referer) if request.referer else None
    return RequestContext(
        target.host, target.path, target.secure, initiator, request.subresource
    )


def page_origin(url: str) -> str:
    """`scheme://host` of the page at `url`; "" for a URL that is not http or https."""
    try:
        target = parse_target(url)
    except ProtocolFailure:
        return ""
    return f"{'https' if target.secure else 'http'}://{target.host}"
