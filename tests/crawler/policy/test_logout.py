"""logout: links that would end the session."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from crawler.model.config import Config
from crawler.model.crawl import Skip
from crawler.model.errors import UsageError
from crawler.model.http_config import HttpConfig, LoginConfig
from crawler.policy.chain import compose
from crawler.policy.check import Candidate
from crawler.policy.depth import DepthCheck
from crawler.policy.logout import AUTO, LogoutCheck

ENDS = (
    "/logout", "/Logout/", "/log-out", "/sign_out", "/signoff", "/users/sign_out",
    "/account/logout.php", "/logout.aspx?x=1", "/wp-login.php?action=logout&_wpnonce=1",
    "/index.php?title=Special:UserLogout&returnto=Main", "/wiki/Special:UserLogout",
    "/index.php/Special:UserLogout", "/user-logout", "/auth/logout;jsessionid=1",
    "/j_spring_security_logout", "/customer/account/logoutSuccess", "/?do=logout",
    "/doLogout.do", "/auth/realms/x/protocol/openid-connect/logout?redirect_uri=y",
    "/?logout", "/?logout=1", "/sessions/destroy", "/connect/endsession",
    "/abmelden", "/Spezial:Abmelden", "/deconnexion", "/se-deconnecter",
    "/cerrar-sesion", "/cerrarSesion", "/uitloggen", "/logga-ut", "/loggud",
    "/wyloguj", "/odhlasit", "/terminar-sessao", "/user/kijelentkezes", "/cikis-yap",
)  # fmt: skip
ENDS_ENCODED = (
    "déconnexion",
    "выход",
    "ログアウト",
    "退出登录",
    "로그아웃",
    "odhlášení",
)
PASSES = (
    "/", "/login", "/logo", "/logout-explained", "/blog/how-to-log-out-safely",
    "/blogout", "/img/logout.png", "/catalog/outdoor", "/catalogoutlet", "/signoffice",
    "/docs/abmeldeformular", "/logs/outbound", "/dialogoutput", "/sign/outlook",
)  # fmt: skip


def refusal(check: LogoutCheck, path: str, depth: int = 1) -> Skip | None:
    return check.check(Candidate(f"https://a.example{path}", "a", "page", depth))


@pytest.mark.parametrize("path", [*ENDS, *(f"/{quote(w)}" for w in ENDS_ENCODED)])
def test_links_that_end_a_session(path: str) -> None:
    skip = Skip("logout", "login.logout_pattern: auto")
    assert refusal(LogoutCheck(AUTO), path) == skip


@pytest.mark.parametrize("path", PASSES)
def test_links_that_do_not(path: str) -> None:
    assert refusal(LogoutCheck(AUTO), path) is None


def test_a_seed_is_the_users_word() -> None:
    assert refusal(LogoutCheck(AUTO), "/logout", depth=0) is None


def test_a_pattern_of_the_user_adds_to_the_built_in_one() -> None:
    check = LogoutCheck("/exit$")
    assert refusal(check, "/logout") == Skip("logout", "login.logout_pattern: auto")
    assert refusal(check, "/contact") is None
    assert refusal(check, "/exit") == Skip("logout", "login.logout_pattern: /exit$")
    with pytest.raises(UsageError, match="logout_pattern: '\\(' is not a valid"):
        LogoutCheck("(")


@pytest.mark.parametrize(
    ("config", "has_session"),
    [
        (Config(), False),
        (Config(http=HttpConfig(auth="env:USER")), False),
        (Config(http=HttpConfig(headers={"cookie": "env:C"})), True),
        (Config(http=HttpConfig(cookie_pairs={"sid": "env:C"})), True),
        (Config(http=HttpConfig(cookies="jar.txt")), True),
        (Config(login=LoginConfig("https://a.example/login")), True),
        (Config(login=LoginConfig("https://a.example/", {}, None)), False),
    ],
)
def test_it_is_in_force_in_a_session_only(config: Config, has_session: bool) -> None:
    other: Any = DepthCheck(9)
    chain = compose(
        config, scope=other, robots=other, quotas=other, traps=other,
        given_up=lambda _: None, deaths=lambda _: 0,
    )  # fmt: skip
    assert ("logout" in [check.name for check in chain.checks]) is has_session
