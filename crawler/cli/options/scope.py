"""Which links a crawl follows."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.cli.flags import Flag
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag

GROUP = "Scope"


def _rules(_flag: str, rules: Sequence[str]) -> list[Setting]:
    from crawler.model.url_pattern import expression  # only for a crawl with rules

    for rule in rules:
        option = "--include" if rule.startswith("+") else "--exclude"
        try:
            expression(rule[1:])
        except ValueError as error:
            raise UsageError(f"{option} {rule[1:]!r}: {error}") from error
    return [
        from_flag(("scope", "rules"), list(rules), "--include, --exclude", adds=True)
    ]


def scope_options() -> list[Flag]:
    return [
        Flag(
            "--scope", key="scope.within", group=GROUP,
            metavar="host|domain|prefix|page|any",
        ),
        Flag(
            "-np", "--no-parent", key="scope.within", const="prefix", group=GROUP,
            help="Stay below the paths of the seeds: --scope prefix",
        ),
        Flag(
            "--span-hosts", key="scope.within", const="any", group=GROUP,
            help="Follow links to any host: --scope any; set a limit too",
        ),
        Flag(
            "--scope-follow-redirect", key="scope.follow_redirect", group=GROUP,
            metavar="any|same-domain|never",
        ),
        Flag("-D", "--domains", key="scope.domains", group=GROUP, metavar="LIST"),
        Flag(
            "--strip-params", key="scope.strip_params", group=GROUP, metavar="LIST",
        ),
        Flag("--dedupe-content", key="scope.dedupe_content", const=True, group=GROUP),
        Flag("--sitemaps", key="scope.sitemaps", const=True, group=GROUP),
        Flag(
            "--check-external", key="scope.check_external", const=True, group=GROUP
        ),
        Flag("-l", "--depth", key="scope.depth", group=GROUP, metavar="N"),
        Flag(
            "--include", group=GROUP, metavar="RE", expose_value=False,
            help="Include URLs that match; a glob after glob:; repeatable",
        ),
        Flag(
            "--exclude", group=GROUP, metavar="RE", expose_value=False,
            help="Exclude URLs that match; the last matching rule wins; repeatable",
        ),
        Flag(
            "--only-keep", key="records.only_keep", group=GROUP, metavar="RE",
            multiple=True,
        ),
        Flag("--rule", group=GROUP, multiple=True, hidden=True, convert=_rules),
    ]  # fmt: skip
