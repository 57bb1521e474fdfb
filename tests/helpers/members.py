"""A site for members: its pages are behind a form, and a link ends the session."""

from __future__ import annotations

import threading
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

from tests.site.page import reply
from tests.site.server import Exchange, Handler, Site

USER, PASSWORD = "ann", "s3cr3t & ünsafe"
PAGES = ("account", "a", "b", "settings")
LOGOUT = "/users/sign_out?from=menu"


def fields_of(exchange: Exchange) -> list[tuple[str, str]]:
    """The fields of a form that was sent, in their order."""
    hit = exchange.hit
    kind = hit.headers.get("content-type", "")
    if hit.method == "GET":
        return parse_qsl(exchange.query, keep_blank_values=True)
    if kind.startswith("multipart/form-data"):
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        parts = message_from_bytes(head + hit.content, policy=HTTP)
        return [
            (
                str(part.get_param("name", header="content-disposition")),
                part.get_payload(decode=True).decode(),  # type: ignore[union-attr]
            )
            for part in parts.iter_parts()  # type: ignore[attr-defined]
        ]
    return parse_qsl(hit.content.decode(), keep_blank_values=True)


class Members:
    """The pages of such a site; `form` is what its form's tag says."""

    def __init__(self, form: str = 'method="post" action="/session"') -> None:
        self.form = form
        self.sent: list[list[tuple[str, str]]] = []
        """The fields of each form that was sent."""
        self.sessions: set[str] = set()
        self._lock = threading.Lock()
        self._count = 0

    def pages(self) -> dict[str, Handler]:
        return {
            "login": self.login,
            "session": self.session,
            "users": self.log_out,
            "robots.txt": reply("User-agent: *\nDisallow: /login\n"),
            **dict.fromkeys(PAGES, self.page),
        }

    def login(self, exchange: Exchange) -> None:
        if self._is_member(exchange):
            exchange.reply(status=302, headers=[("Location", "/account")])
            return
        exchange.reply(self._login_page(), headers=[("Set-Cookie", "csrf=c1; Path=/")])

    def _login_page(self, message: str = "") -> str:
        return (
            '<meta charset=utf-8><form action="/search"><input name="q"></form>'
            f"{message}<form {self.form}>"
            '<input type="hidden" name="token" value="t1&amp;2">'
            '<input name="user"><input type=password name="pass">'
            '<input type="checkbox" name="remember" value="1" checked>'
            '<input type="checkbox" name="news">'
            '<button name="go" value="in">Log in</button></form>'
        )

    def session(self, exchange: Exchange) -> None:
        fields = fields_of(exchange)
        self.sent.append(fields)
        right = {"user": USER, "pass": PASSWORD, "token": "t1&2"}.items()
        if "csrf=c1" not in exchange.hit.headers.get("cookie", ""):
            exchange.reply("no CSRF cookie", status=403)
        elif not right <= dict(fields).items():
            exchange.reply(self._login_page("<p>Wrong password"))
        else:
            with self._lock:
                self._count += 1
                name = f"m{self._count}"
                self.sessions.add(name)
            cookie = f"sid={name}; Path=/; HttpOnly"
            headers = [("Set-Cookie", cookie), ("Location", "/account")]
            exchange.reply(status=303, headers=headers)

    def _is_member(self, exchange: Exchange) -> bool:
        cookies = exchange.hit.headers.get("cookie", "").split("; ")
        return any(f"sid={name}" in cookies for name in self.sessions)

    def page(self, exchange: Exchange) -> None:
        if not self._is_member(exchange):
            exchange.reply(status=302, headers=[("Location", "/login")])
            return
        paths = [LOGOUT, *(f"/{name}" for name in PAGES), "/logout-explained"]
        links = "".join(f'<a href="{path}">x</a>' for path in paths)
        exchange.reply(f"<!doctype html><title>{exchange.name}</title>{links}")

    def log_out(self, exchange: Exchange) -> None:
        self.sessions.clear()
        exchange.reply("<p>Bye")


def members_site(members: Members) -> Site:
    return Site(members.pages())
