"""Plug-ins in the chain of checks; the crawl and `orbweb explain` use the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from crawler.model.config import PluginConfig
from crawler.model.crawl import Skip
from crawler.model.errors import ExtractFailure

if TYPE_CHECKING:
    from crawler.plugins.loading import LoadedPlugin
    from crawler.policy.check import Candidate


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
        except Exception as error:
            if not candidate.due:
                return None
            raise ExtractFailure(
                f"{self.name}: {type(error).__name__}: {error}"
            ) from error

    def _skip(self, answer: Any) -> Skip | None:
        if answer is None or isinstance(answer, Skip):
            return answer
        if isinstance(answer, str):
            return Skip("plugin", f"{self.name}: {answer}")
        raise TypeError(f"check() has to give None, a text or a Skip, not {answer!r}")


def plugin_checks(plugins: Iterable[LoadedPlugin]) -> list[PluginCheck]:
    """The checks among the plug-ins of a crawl."""
    return [PluginCheck(plugin) for plugin in plugins if "check" in plugin.methods]


def available_checks(
    configs: Sequence[PluginConfig],
) -> tuple[list[PluginCheck], tuple[str, ...]]:
    """The checks of a stored configuration, and why some plug-ins cannot be loaded.

    Files may be gone by now, and objects were passed by another program.
    """
    found: list[PluginCheck] = []
    unavailable: list[str] = []
    if not configs:
        return found, ()
    from crawler.plugins.loading import PluginError, load_plugins

    for config in configs:
        try:
            found += plugin_checks(load_plugins([config]))
        except PluginError as error:
            unavailable.append(str(error))
    return found, tuple(unavailable)
