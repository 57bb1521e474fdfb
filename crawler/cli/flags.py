"""The type of the options that set a configuration key, and of the commands with them.

An option's help is the first sentence of its setting's docstring, with the default
behind, unless it has a text of its own. Both are looked up when help is shown: a crawl
does not pay for them at its start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from crawler.model.units import exact_bytes, exact_seconds, show_bytes
from crawler.settings.fields import Path as KeyPath
from crawler.settings.fields import choices, keys
from crawler.settings.load import Setting, from_flag

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Convert = Callable[[str, Any], list[Setting]]
"""(option name, value) to settings, for an option that is more than one plain value."""


class OneOf(click.Choice[str]):
    """One of a set of names; a word that is similar to one of them suggests it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            text = error.message.rstrip(".") + similar(str(value), self.choices)
            self.fail(text, param, ctx)


def similar(word: str, names: Iterable[str]) -> str:
    """`; did you mean 'name'?` for the end of a message; empty if none is similar."""
    from difflib import get_close_matches  # only for a mistake

    near = get_close_matches(word, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class Flag(click.Option):
    """An option in a group of --help.

    With a `key` it sets that key, to `const` if that is given and to its value
    otherwise.
    """

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
        super().__init__(list(names), default=None, **rest)
        self._const = const
        self.shown_default: str | None = None
        """The default that --help shows in place of the setting's; "" is none."""
        self.is_common = False
        """Whether --help shows it, where it does not show all options."""
        self._convert = convert
        self._described = False

    def describe(self) -> None:
        """Complete `help` from the setting."""
        if self.path is None or self._described:
            return
        from crawler.settings.help_texts import summarize

        self._described = True
        self.help = self.help or summarize(self.path)
        if self.multiple:
            self.help += "; repeatable"
        if self._const is None:
            if self.path[0] == "limits" and keys()[self.path].optional:
                self.help += "; none: no limit"
            default = self.shown_default
            default = _default(self.path) if default is None else default
            self.help += f"  [default: {default}]" if default else ""

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """The values that the option takes, or files where it takes a path."""
        from click.shell_completion import CompletionItem  # only when a shell asks

        kind = {"FILE": "file", "DIR": "dir"}.get(self.metavar or "")
        if kind is not None:
            return [CompletionItem(incomplete, kind)]
        values = choices(keys()[self.path].type) if self.path else ()
        return [
            CompletionItem(value) for value in values if value.startswith(incomplete)
        ]

    def settings(self, value: Any) -> list[Setting]:
        """The settings that a value given by the user makes."""
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
    """The default of a key as --help shows it; empty where there is none."""
    key = keys()[path]
    value = key.default
    if not value:
        return ""
    if isinstance(value, tuple):
        shown = ",".join(value)
    elif key.unit == "bytes":
        exact_size = exact_bytes(value)
        shown = exact_size if isinstance(exact_size, str) else show_bytes(value)
    elif key.unit == "seconds":
        exact = exact_seconds(value)
        shown = exact if isinstance(exact, str) else f"{exact}s"
    else:
        shown = str(value)
    return shown


_ALL = "crawler.cli.flags.all"
"""Key of a context's `meta`: all options are wanted."""


def _show_all(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


class GroupedCommand(click.Command):
    """A command whose --help shows its options by group.

    Where some are common, --help shows these, and --help-all shows all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_common = any(getattr(p, "is_common", False) for p in self.params)
        if self._has_common:
            self.params.append(
                click.Option(
                    ["--help-all"], is_flag=True, is_eager=True, expose_value=False,
                    callback=_show_all, help="Show all options and exit.",
                )
            )  # fmt: skip

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._has_common and not ctx.meta.get(_ALL):
            more = sum(
                isinstance(p, Flag) and not (p.is_common or p.hidden)
                for p in self.params
            )
            formatter.write_paragraph()
            formatter.write_text(
                f"{more} more options: {ctx.command_path} --help-all. Exit codes and "
                "environment: orbweb help exit-codes, orbweb help environment."
            )

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        self._describe()
        everything = not self._has_common or ctx.meta.get(_ALL)
        shown = [
            p
            for p in self.get_params(ctx)
            if isinstance(p, click.Option)
            and (everything or not isinstance(p, Flag) or p.is_common)
        ]
        shown.sort(key=lambda p: not isinstance(p, Flag))  # --help itself comes last
        for group, members in groupby(shown, key=lambda p: getattr(p, "group", "Help")):
            rows = [record for p in members if (record := p.get_help_record(ctx))]
            with formatter.section(group):
                formatter.write_dl(rows, col_max=34)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        self._describe()
        return super().shell_complete(ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            if wrong := next((word for word in args if word in _OF_WGET), None):
                raise click.NoSuchOption(wrong, ctx=ctx)
            return super().parse_args(ctx, _rules_in_order(_with_warc_name(args)))
        except click.NoSuchOption as error:
            from crawler.cli.other_names import with_name_here  # only for a mistake

            raise with_name_here(error) from error

    def _describe(self) -> None:
        for option in self.params:
            if isinstance(option, Flag):
                option.describe()


_OF_WGET = frozenset({"-nc", "-nd", "-nH", "-nv"})
"""Options of wget that would be read as `-n` with a value."""


def _with_warc_name(args: Sequence[str]) -> list[str]:
    """`--warc` as `--warc=`, and `--warc NAME` as `--warc=NAME`.

    A word that looks like a URL is one, so that `--warc example.com` begins there.
    """
    done: list[str] = []
    for word in args:
        if done and done[-1] == "--warc=" and "--" not in done and _NAME(word):
            done[-1] += word
        else:
            done.append("--warc=" if word == "--warc" and "--" not in done else word)
    return done


_NAME = re.compile(
    r"(?!localhost(?:/|$))(?:[A-Za-z0-9][\w-]*|.*\.warc(?:\.gz)?|[^.:/]*/[^:]*|[./].*)"
).fullmatch
"""A name, or a path, which is no name and will be refused, but no URL either."""
_SIGNS = {"--include": "+", "--exclude": "-"}


def _rules_in_order(args: Sequence[str]) -> list[str]:
    """`--include A --exclude B` as `--rule=+A --rule=-B`.

    The last match wins, and click does not keep the order of two different options.
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
    """The settings of all options that the user gave, in the order of the table."""
    found: list[Setting] = []
    for option in command.params:
        value = params.get(option.name or "")
        if isinstance(option, Flag) and value not in (None, False, ()):
            found += option.settings(value)
    return found
