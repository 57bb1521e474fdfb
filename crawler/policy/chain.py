"""The one place where the checks of a crawl are put in their order.

`compose` serves the crawl and `orbweb explain` alike. To add a check, write it in a
file of its own and add one line here.

    found   nofollow, scope, url_filters, depth, icons, logout, traps, plug-ins
    due     icons, logout, given_up_host, robots, quotas, traps, poison_url, plug-ins

`nofollow` comes first, since what a page says about its links does not change with the
user's scope: a further crawl with a wider scope decides again about URLs that the scope
refused, and must not follow these. `robots` comes before `quotas`, so that a forbidden
URL is told as forbidden; it lets pass what has no cached rules, so that no robots.txt
is fetched for a URL which a later check refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from crawler.model.config import Config
from crawler.model.crawl import Skip
from crawler.model.policy_config import ScopeConfig
from crawler.policy.check import Chain, Check
from crawler.policy.given_up_host import GivenUpHostCheck
from crawler.policy.nofollow import NofollowCheck
from crawler.policy.poison_url import PoisonUrlCheck
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.traps import Traps


def compose(
    config: Config,
    *,
    scope: Scope,
    robots: RobotsCache,
    quotas: Quotas,
    traps: Traps,
    given_up: Callable[[str], Skip | None],
    deaths: Callable[[str], int],
    further: Iterable[Check] = (),
) -> Chain:
    """The checks of a crawl; those that `config` switches off are left out.

    `given_up(host)` is the look-up of GivenUpHostCheck, `deaths(url)` that of
    PoisonUrlCheck. `further` checks come last. Raises UsageError for an invalid URL
    filter.
    """
    return Chain(
        [
            NofollowCheck(config.robots),
            *scope_checks(config.scope, scope),
            *([] if config.images.icons else [_icon_check()]),
            *_logout_checks(config),
            GivenUpHostCheck(given_up),
            *([robots] if config.robots.obey else []),
            quotas,
            *([traps] if config.limits.traps else []),
            PoisonUrlCheck(deaths),
            *further,
        ]
    )


def _icon_check() -> Check:
    from crawler.policy.kept_images import IconCheck  # most crawls fetch icons

    return IconCheck()


def _logout_checks(config: Config) -> Iterator[Check]:
    """Only a session can end: cookies that the user gives, or a login."""
    http, pattern = config.http, config.login.logout_pattern
    if pattern is not None and (
        config.login.url
        or http.cookies
        or http.cookie_pairs
        or any(name.lower() == "cookie" for name in http.headers)
    ):
        from crawler.policy.logout import LogoutCheck  # most crawls have no session

        yield LogoutCheck(pattern)


def scope_checks(config: ScopeConfig, scope: Scope) -> Iterator[Check]:
    """The checks that the scope of a crawl consists of."""
    yield scope
    if config.rules:  # RE2 is not loaded for a crawl without rules
        from crawler.policy.url_filters import UrlFilters

        yield UrlFilters(config.rules)
    if config.depth is not None:
        from crawler.policy.depth import DepthCheck  # most crawls have no limit

        yield DepthCheck(config.depth)
