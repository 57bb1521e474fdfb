"""What an option of the command line is: its name, its group in --help, the setting it
gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from crawler.model.units import exact_bytes, exact_seconds
from crawler.settings.fields import Path as KeyPath
from crawler.settings.fields import choices, keys
from crawler.settings.load import Setting, from_flag

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Convert = Callable[[str, Any], list[Setting]]
"""(option's name, value) to settings, where an option is more than one plain value."""


class Flag(click.Option):
    """An option of a group in --help. With a `key` it gives a setting, `const` if it
    has one."""

    def __init__(
        self,
        *names: str,
        group: str,
        key: str | None = None,
        const: Any = None,
        convert: Convert | None = None,
        **rest: Any,
    ) -> None:
        if const is not None:
            rest["is_flag"] = True
        self.group = group
        self.path: KeyPath | None = tuple(key.split(".")) if key else None
        if self.path and const is None:
            rest["help"] = f"{rest.get('help', '')}{_default(self.path)}"
        super().__init__(list(names), default=None, **rest)
        self._const = const
        self._convert = convert

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """The values it can have, or files, where that is what it takes."""
        from click.shell_completion import (
            CompletionItem,  # when a shell asks, and no sooner
        )

        kind = {"FILE": "file", "DIR": "dir"}.get(self.metavar or "")
        if kind is not None:
            return [CompletionItem(incomplete, kind)]
        values = choices(keys()[self.path].type) if self.path else ()
        return [
            CompletionItem(value) for value in values if value.startswith(incomplete)
        ]

    def settings(self, value: Any) -> list[Setting]:
        """What a value given by the user means for the configuration."""
        name = self.opts[-1]
        if self._convert is not None:
            return self._convert(name, value)
        if self.path is None:
            return []
        if self._const is not None:
            return [from_flag(self.path, self._const, name)]
        if self.multiple:
            return [from_flag(self.path, list(value), name, adds=True)]
        return [from_flag(self.path, value, name)]


def _default(path: KeyPath) -> str:
    """What holds without the option, for --help; nothing where that is nothing."""
    key = keys()[path]
    value = key.default
    if not value:
        return ""
    if key.unit:
        shown = exact_bytes(value) if key.unit == "bytes" else exact_seconds(value)
        value = (
            f"{shown}s"
            if isinstance(shown, int | float) and key.unit == "seconds"
            else shown
        )
    return f"  [default: {','.join(value) if isinstance(value, tuple) else value}]"


class GroupedCommand(click.Command):
    """A command whose --help shows its options by subject."""

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        shown = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        shown.sort(key=lambda p: not isinstance(p, Flag))  # --help itself comes last
        for group, members in groupby(shown, key=lambda p: getattr(p, "group", "Help")):
            rows = [record for p in members if (record := p.get_help_record(ctx))]
            with formatter.section(group):
                formatter.write_dl(rows, col_max=34)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _rules_in_order(args))


_SIGNS = {"--include": "+", "--exclude": "-"}


def _rules_in_order(args: Sequence[str]) -> list[str]:
    """`--include A --exclude B` as `--rule=+A --rule=-B`.

    The last match wins, and click forgets how two different options stood to each
    other.
    """
    done: list[str] = []
    rest = iter(args)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            return [*done, word, *rest]
        if name in _SIGNS and equals:
            done.append(f"--rule={_SIGNS[name]}{value}")
        elif word in _SIGNS and (following := next(rest, None)) is not None:
            done.append(f"--rule={_SIGNS[word]}{following}")
        else:
            done.append(word)
    return done


def settings_of(command: click.Command, params: Mapping[str, Any]) -> list[Setting]:
    """All that the user's options say, in the order of the table."""
    found: list[Setting] = []
    for option in command.params:
        value = params.get(option.name or "")
        if isinstance(option, Flag) and value not in (None, False, ()):
            found += option.settings(value)
    return found
