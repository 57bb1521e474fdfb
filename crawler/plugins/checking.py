"""Plug-ins in the chain of checks; the crawl and `orbweb explain` use the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from crawler.model.config import PluginConfig
from crawler.model.crawl import Skip
from crawler.model.errors import ExtractFailure

if TYPE_CHECKING:
    from crawler.plugins.loading import LoadedPlugin, PluginError
    from crawler.policy.check import Candidate


class PluginCheck:
    """One plug-in's `check` as a check of the chain, when found and when due.

    An exception in it is an `extract` error of the URL. A URL that was only found
    cannot end as an error; it passes, and the plug-in is asked again when it is due.
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

    def _skip(self, verdict: Any) -> Skip | None:
        if verdict is None or isinstance(verdict, Skip):
            return verdict
        if isinstance(verdict, str):
            return Skip("plugin", f"{self.name}: {verdict}")
        raise TypeError(f"check() has to give None, a text or a Skip, not {verdict!r}")


class MissingCheck:
    """Stands for a plug-in that cannot be loaded where only the state is read."""

    moments: tuple[Literal["found", "due"], ...] = ("due",)

    def __init__(self, config: PluginConfig, error: PluginError) -> None:
        self.name = f"plug-in {config.use}"
        self._error = error

    def check(self, candidate: Candidate) -> Skip | None:
        """Raises ExtractFailure that tells why the plug-in has no answer."""
        raise ExtractFailure(str(self._error))


def plugin_checks(plugins: Iterable[LoadedPlugin]) -> list[PluginCheck]:
    """The checks among the plug-ins of a crawl."""
    return [PluginCheck(plugin) for plugin in plugins if "check" in plugin.methods]


def checks_to_explain(
    configs: Sequence[PluginConfig],
) -> list[PluginCheck | MissingCheck]:
    """The checks of a stored configuration, whose plug-ins may be gone by now."""
    found: list[PluginCheck | MissingCheck] = []
    if not configs:
        return found
    from crawler.plugins.loading import PluginError, load_plugins

    for config in configs:
        try:
            found += plugin_checks(load_plugins([config]))
        except PluginError as error:
            found.append(MissingCheck(config, error))
    return found
