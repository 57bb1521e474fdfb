"""Plug-ins in the chain of checks; the crawl and `orbweb explain` use the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from crawler.model.config import PluginConfig
from crawler.model.crawl import Skip
from crawler.model.errors import (
    PLUGIN_FAILURES,
    ExtractFailure,
    failure_text,
    short_text,
)
from crawler.model.reasons import SkipReason

if TYPE_CHECKING:
    from crawler.plugins.loading import LoadedPlugin
    from crawler.policy.check import Candidate

_REASONS = get_args(SkipReason)


class PluginCheck:
    """One plug-in's `check` as a check of the chain, when found and when due.

    An exception in it is an `extract` error of the URL. A URL that was only found
    cannot end as an error: it passes, and the plug-in is called again when it is due.
    """

    moments: tuple[Literal["found", "due"], ...] = ("found", "due")

    def __init__(self, plugin: LoadedPlugin) -> None:
        self.name = f"plug-in {plugin.name}"
        self._check = plugin.target.check

    def check(self, candidate: Candidate) -> Skip | None:
        """None if the candidate may pass. Raises ExtractFailure for one that is due."""
        try:
            return self._skip(self._check(candidate))
        except PLUGIN_FAILURES as error:
            if not candidate.due:
                return None
            raise ExtractFailure(f"{self.name}: {failure_text(error)}") from error

    def _skip(self, answer: Any) -> Skip | None:
        if answer is None:
            return None
        if isinstance(answer, str):
            return Skip("plugin", f"{self.name}: {short_text(answer)}")
        if not isinstance(answer, Skip):
            raise TypeError(
                f"check() has to give None, a text or a Skip, not {answer!r}"
            )
        if answer.reason not in _REASONS or not isinstance(answer.rule, str):
            raise TypeError(
                f"check() gave {answer!r}; the rule is a text, and the reason one of "
                f"{', '.join(_REASONS)}"
            )
        return Skip(answer.reason, short_text(answer.rule))


def plugin_checks(plugins: Iterable[LoadedPlugin]) -> list[PluginCheck]:
    """The checks among the plug-ins of a crawl."""
    return [PluginCheck(plugin) for plugin in plugins if "check" in plugin.methods]


def available_checks(
    configs: Sequence[PluginConfig],
) -> tuple[list[PluginCheck], tuple[str, ...]]:
    """The checks of a stored configuration, and why some plug-ins cannot be loaded.

    Files may be gone by now, or be in another folder, and objects were passed by
    another program. Those that are not found are told in one sentence.
    """
    found: list[PluginCheck] = []
    unavailable: list[str] = []
    missing: list[str] = []
    if not configs:
        return found, ()
    from crawler.plugins.loading import PluginError, load_plugins

    for config in configs:
        try:
            found += plugin_checks(load_plugins([config]))
        except PluginError as error:
            if isinstance(error.__cause__, ModuleNotFoundError):
                missing.append(config.use)
            else:
                unavailable.append(str(error))
    if missing:
        unavailable.append(
            f"what {', '.join(missing)} would say: not found from this folder; run the "
            "command where the crawl was started"
        )
    return found, tuple(unavailable)
