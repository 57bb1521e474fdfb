"""Who we are to whom: cookies and credentials of a request. No I/O.

The rule for everything secret that the user gave us: it belongs to an *origin* (scheme,
host and port), not to a host's name. So no redirect, no link and no picture elsewhere
can make us show it, and whoever listens on port 81 of the same machine, or to plain
http where https was meant, does not get it. One step is allowed: from http to https of
the same host on the usual ports, because whoever could read the first could do no worse
with the second.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

from crawler.fetch.auth.credentials import Authenticator, Credentials
from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.target import Target, parse_target
from crawler.model.errors import ProtocolFailure
from crawler.model.http import Header, Request, Response
from crawler.model.url import join_header

MAX_AUTHENTICATORS = 1024


def trusted_origins(named: Collection[str]) -> frozenset[str]:
    """The origins that the user named, and https where http was named on its usual
    port."""
    plain = [url for url in named if url.startswith("http://")]
    usual = [
        url
        for url in plain
        if ":" not in url.removeprefix("http://").rpartition("]")[2]
    ]
    return frozenset(named).union("https" + url.removeprefix("http") for url in usual)


class SessionAuth:
    """Cookies and credentials of one crawl.

    `credentials` are those of the `trusted` origins. `netrc` has others by host: they
    are sent to https on its usual port, and elsewhere on that host only where the
    origin is trusted; those of "" (`default`) to trusted origins alone. `clock`:
    seconds since the epoch; `nonce`: see `Authenticator`.
    """

    def __init__(
        self,
        jar: CookieJar,
        trusted: Collection[str],
        credentials: Credentials | None,
        netrc: Mapping[str, Credentials],
        clock: Callable[[], float],
        nonce: Callable[[], str],
    ) -> None:
        self.jar = jar
        self.trusted = trusted
        self._credentials = credentials
        self._netrc = netrc
        self._clock = clock
        self._nonce = nonce
        self._authenticators: OrderedDict[str, Authenticator] = OrderedDict()

    def headers(self, request: Request, target: Target) -> list[Header]:
        """What a request says of us: Cookie, Authorization."""
        found: list[Header] = []
        if self.jar:
            cookies = self.jar.header(_site(request, target), self._clock())
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

    def store_cookies(
        self, request: Request, target: Target, response: Response
    ) -> None:
        """Take in the cookies of a response."""
        values = response.values("set-cookie")
        if values:
            self.jar.receive(values, _site(request, target), self._clock())

    def handle_challenge(
        self, target: Target, response: Response, sent: list[Header]
    ) -> bool:
        """Whether a 401 is worth the same request again, with the proof it asks for."""
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
        """Where a redirect within its own chain leads, if we look different there by
        now.

        Some sites set a cookie and send the visitor back to where he came from. As a
        link that URL is known and done; so it is asked for again in place.
        """
        location = response.header("location")
        goal = join_header(response.url, location) if location is not None else None
        if goal is None or goal not in (request.url, *request.chain):
            return None
        cookies = self.jar.header(_site(request, parse_target(goal)), self._clock())
        return goal if cookies is not None and ("Cookie", cookies) not in sent else None

    def _new_authenticator(self, target: Target) -> Authenticator | None:
        credentials = self._find(target)
        if credentials is None:
            return None
        if len(self._authenticators) >= MAX_AUTHENTICATORS:
            self._authenticators.popitem(last=False)
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


def _site(request: Request, target: Target) -> RequestContext:
    initiator = page_origin(request.referer) if request.referer else None
    return RequestContext(
        target.host, target.path, target.secure, initiator, request.subresource
    )


def page_origin(url: str) -> str:
    """`scheme://host` of the page that led here; "" if it is of no site that could be
    ours."""
    try:
        target = parse_target(url)
    except ProtocolFailure:
        return ""
    return f"{'https' if target.secure else 'http'}://{target.host}"
