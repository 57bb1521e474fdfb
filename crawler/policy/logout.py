"""The check that keeps a session alive: `login.logout_pattern`.

A crawler that is logged in and follows every link ends its session at the first "log
out". The check is in the chain only where there is a session. It looks at the URL, not
at the text of the link, so `explain` and a resume decide as the crawl did. A seed is
the user's word, and passes.

An expression of the user adds to the built-in pattern: who names one more way to end
the session does not want the crawl to take the others.

The built-in pattern asks for a whole segment of the path, or a whole word of the query:
`/logout`, `/users/sign_out`, `/Special:UserLogout`, `?action=logout`, `/abmelden.php`;
an article `/how-to-log-out-safely` passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import re2

from crawler.model.crawl import Skip
from crawler.model.errors import UsageError
from crawler.model.url_pattern import expression
from crawler.policy.check import FOUND_AND_DUE, Candidate

AUTO = "auto"

_WORDS = (
    r"(?:log|sign)[-_.+ ]?(?:out|off)", r"end[-_]?session", r"session[-_]?end",
    r"sessions?/destroy", r"destroy[-_]session",
    r"abmeld(?:en|ung)", r"ausloggen",  # German
    r"(?:se[-_])?d[eé]connexion", r"(?:se[-_])?d[eé]connecter",  # French
    r"cerrar[-_ ]?(?:la[-_ ]?)?sesi[oó]n", r"desconectar(?:se)?",  # Spanish
    r"(?:terminar|encerrar)[-_ ]?sess[aã]o",  # Portuguese
    r"disconnet(?:ti|tersi)", r"uscita",  # Italian
    r"uitloggen", r"afmelden",  # Dutch
    r"logga[-_]?ut", r"logg[-_]?(?:ud|ut)", r"log[-_]?af", r"kirjaudu[-_]?ulos",
    r"wyloguj(?:[-_]?sie)?", r"wylogowanie", r"odhl[aá]si[tť]", r"odhl[aá]šen[ií]",
    r"kijelentkez[eé]s", r"odjava", r"deconectare", r"выход", r"выйти", r"вихід",
    r"çıkış(?:[-_]?yap)?", r"cikis(?:[-_]?yap)?", r"αποσύνδεση",
    r"ログアウト", r"サインアウト", r"退出(?:登录|登錄)?", r"注销", r"登出",
    r"로그아웃", r"đăng[-_ ]?xuất", r"dang[-_]?xuat",
    r"تسجيل[-_ ]الخروج", r"התנתקות",
)  # fmt: skip
_PREFIX = r"(?:[a-z0-9]{1,12}[-_:]){0,3}(?:user|do|on)?"
_SUFFIX = (
    r"(?:[-_]?(?:page|action|servlet|confirm|all|success|me|now|process|link|user))?"
    r"(?:\.(?:php\d?|aspx?|jspx?|do|action|s?html?|cgi|pl|cfm))?"
)
_PATTERN = (
    rf"(?i)(?:[/?&=;]|/index\.php/){_PREFIX}(?:{'|'.join(_WORDS)}){_SUFFIX}"
    r"(?:[/?&=;#]|$)"
)


class LogoutCheck:
    """Refuses URLs that the built-in pattern finds, or `pattern`; AUTO adds nothing.

    Raises UsageError for an invalid expression.
    """

    name = "logout"
    moments = FOUND_AND_DUE  # a recrawl queues what was refused

    def __init__(self, pattern: str) -> None:
        self._refusals = [_refusal(AUTO, _PATTERN)]
        if pattern == AUTO:
            return
        try:
            self._refusals.append(_refusal(pattern, expression(pattern)))
        except ValueError as error:
            raise UsageError(
                f"login.logout_pattern: {pattern!r} is not a valid expression: {error}"
            ) from None

    def check(self, candidate: Candidate) -> Skip | None:
        if candidate.depth == 0:
            return None
        url = candidate.url
        for search, skip in self._refusals:
            if search(url) or ("%" in url and search(unquote(url))):
                return skip
        return None


def _refusal(pattern: str, found: str) -> tuple[Callable[[str], Any], Skip]:
    search = re2.compile(found).search
    return search, Skip("logout", f"login.logout_pattern: {pattern}")
