"""The flow of a login: the page, its form, the answer, and whether it worked.

Redirects are followed here, because they are no links of the crawl; robots.txt, which
is about crawling, is not asked. What is typed in goes to the site of the login URL or
of a seed only, and from a page of https over https only.

A login counts as failed if the server answers with an error, or with the same form
again; if there is no cookie afterwards; or if nothing has changed, neither the URL nor
a cookie, and the login page still shows its form.

A crawl that goes on asks for the login page with the cookies that it has kept. A page
without a password field says that the session goes on; else the form is sent again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import NoReturn

from msgspec.structs import replace

from crawler.engine.exit_status import SEEDS_UNREACHABLE, SEEDS_UNTRUSTED
from crawler.engine.login.submission import ACCEPT, submit
from crawler.extract.html.forms import find_forms
from crawler.extract.sniff import extract_media_type
from crawler.fetch.cookies.cookie import Cookie
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.cookies.matching import cookie_domain
from crawler.model.errors import Failure, LoginError, TlsVerifyFailure, UsageError
from crawler.model.forms import Form
from crawler.model.http import Request, Response
from crawler.model.http_config import LoginConfig
from crawler.model.seed import parse_seed
from crawler.model.url import host_key, hostname, join_header, origin
from crawler.policy.response_status import is_redirect
from crawler.settings.secrets import is_literal, revealed_login

MAX_REDIRECTS = 10
MAX_PAGE = 4 * 2**20
"""Bytes of a page that are searched for the form."""
MAX_NAMED = 12
"""Fields that an error names."""
_KEEPS_METHOD = (307, 308)

Fetch = Callable[[Request], Response]


def log_in(
    config: LoginConfig,
    seeds: Collection[str],
    environ: Mapping[str, str],
    fetch: Fetch,
    jar: CookieJar,
) -> str:
    """Log in as `config` says, by requests of `fetch`, whose cookies are in `jar`.

    Returns what came of it, for the user. Switches. Raises LoginError, or UsageError
    for a password that is no reference.
    """
    return _Login(config, seeds, environ, fetch, jar).run()


class _Login:
    def __init__(
        self,
        config: LoginConfig,
        seeds: Collection[str],
        environ: Mapping[str, str],
        fetch: Fetch,
        jar: CookieJar,
    ) -> None:
        self._url = parse_seed(config.url).url
        self._given = config.form
        self._values = revealed_login(config, environ).form
        self._fields = frozenset(config.form)
        self._sites = {_site(url) for url in (self._url, *seeds)}
        self._fetch = fetch
        self._jar = jar

    def run(self) -> str:
        had_cookies = len(self._jar) > 0
        page = self._follow(Request(self._url, accept=ACCEPT))
        self._refuse_error(page, "the login page answers")
        forms = _forms(page)
        form = self._form(forms)
        if form is None:
            if had_cookies and not any(one.has_password() for one in forms):
                return f"the session of {origin(self._url)} goes on"
            self._no_form(page, forms)
        self._check_secrets(form)
        self._check_target(form, page.url)
        before = set(self._jar)
        answer = self._follow(
            submit(form, self._values, page.url, lambda: os.urandom(16).hex())
        )
        self._check_answer(form, answer, before)
        return f"logged in at {origin(self._url)}"

    def _form(self, forms: Collection[Form]) -> Form | None:
        """The form with all fields; one with a password goes before others."""
        having = [form for form in forms if form.has(self._fields)]
        return next((form for form in having if form.has_password()), None) or next(
            iter(having), None
        )

    def _check_secrets(self, form: Form) -> None:
        for control in form.controls:
            if control.kind == "password" and is_literal(
                self._given.get(control.name, "")
            ):
                raise UsageError(
                    f"--form {control.name}: the field is a password; write "
                    f"{control.name}=env:NAME or {control.name}=file:PATH"
                )

    def _check_target(self, form: Form, page: str) -> None:
        for url in (page, form.action):
            if not url.startswith(("https://", "http://")):
                self._fail("its form is sent by a script")
            if _site(url) not in self._sites:
                self._fail(
                    f"its form is on another site, {origin(url)}: name the page there "
                    "with --login"
                )
        if page.startswith("https:") and form.action.startswith("http:"):
            self._fail("its form would send the password without encryption")

    def _check_answer(
        self, form: Form, answer: Response, before: Collection[Cookie]
    ) -> None:
        self._refuse_error(answer, "the server answers the form with")
        if self._form(_forms(answer)) is not None:
            self._fail("the same form came again: are all values right?")
        if not self._jar:
            self._fail("the server has set no cookie, so there is no session")
        if set(self._jar) != before or _shown(answer.url) != _shown(form.action):
            return
        again = self._follow(Request(self._url, accept=ACCEPT))
        if self._form(_forms(again)) is not None:
            self._fail(
                "nothing has changed by the form: no cookie, and its page still shows "
                "it"
            )

    def _follow(self, request: Request) -> Response:
        """The response at the end of the redirects. Raises LoginError."""
        for _ in range(MAX_REDIRECTS):
            response = self._request(request)
            if not is_redirect(response):
                return response
            request = self._redirected(request, response)
        return self._fail(f"more than {MAX_REDIRECTS} redirects")

    def _redirected(self, request: Request, response: Response) -> Request:
        """The request that a redirect leads to (RFC 9110 section 15.4)."""
        url = join_header(request.url, response.header("location") or "")
        if url is None or not url.startswith(("https://", "http://")):
            self._fail("a redirect leads to no URL")
        if response.status not in _KEEPS_METHOD or request.method != "POST":
            return Request(url, accept=ACCEPT)
        if origin(url) != origin(request.url):
            self._fail(f"it would send the form on to {origin(url)}")
        return replace(request, url=url)

    def _request(self, request: Request) -> Response:
        try:
            return self._fetch(replace(request, max_body=MAX_PAGE))
        except Failure as failure:
            untrusted = isinstance(failure, TlsVerifyFailure)
            code = SEEDS_UNTRUSTED if untrusted else SEEDS_UNREACHABLE
            where = origin(request.url)
            text = f"login at {where} failed: {failure.message}"
            raise LoginError(text, code) from failure

    def _refuse_error(self, response: Response, what: str) -> None:
        if response.status >= 400:
            self._fail(f"{what} {response.status} {response.reason}".rstrip())

    def _no_form(self, page: Response, forms: Collection[Form]) -> NoReturn:
        wanted = ", ".join(self._fields)
        if not forms:
            self._fail(
                f"{_shown(page.url)} has no form; where a script makes it, log in with "
                "a browser and give its cookies with -b FILE"
            )
        names = dict.fromkeys(
            control.name
            for form in sorted(forms, key=lambda form: not form.has_password())
            for control in form.controls
            if control.kind not in ("hidden", "submit", "image")
        )
        named = ", ".join([*names][:MAX_NAMED]) or "no field that has a name"
        self._fail(f"no form has the fields {wanted}; the page has {named}")

    def _fail(self, why: str) -> NoReturn:
        raise LoginError(f"login at {_shown(self._url)} failed: {why}")


def _forms(response: Response) -> tuple[Form, ...]:
    """The forms of a page; what is no HTML has none."""
    declared = extract_media_type(response.values("content-type"))
    if declared is not None and "html" not in declared.essence:
        return ()
    charset = declared.parameters.get("charset") if declared else None
    return find_forms(response.body, charset, response.url)


def _site(url: str) -> str:
    """The registrable domain of a URL, or its host where there is none."""
    return cookie_domain(hostname(host_key(url)))


def _shown(url: str) -> str:
    """Without its query, which may hold a secret."""
    return url.partition("?")[0]
