"""The commands, options and files that the documents name exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from crawler.cli import COMMANDS, orbweb
from tests.helpers.paths import ROOT

DOCUMENTS = sorted(
    {
        ROOT / "README.md",
        *(
            path
            for room in ("crawler", "hub", "docs")
            for path in ROOT.glob(f"{room}/**/*.md")
        ),
    }
)


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each call of the program in a text's code, up to an operator."""
    for code in re.findall(r"```\w*\n(.*?)```|`(orbweb [^`]+)`", text, re.DOTALL):
        for line in "".join(code).replace("\\\n", " ").splitlines():
            found = re.search(
                r"(?:^|[|;&]\s*|\$ )(?:orbweb|python cli\.py) (.*)", line.strip()
            )
            if found:
                lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                lexer.commenters = "#"
                yield until_operator(lexer)


def until_operator(words: Iterator[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        if set(word) <= set("|&;<>()"):
            break
        kept.append(word)
    return kept


def mistakes(words: list[str]) -> Iterator[str]:
    """The unknown commands and options of a call of the program."""
    # click keeps the help option that it makes for the first context.
    context = click.Context(orbweb, info_name="orbweb", **orbweb.context_settings)
    command: click.Command | None = orbweb
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *rest = words
        found = command.get_command(context, name)
        if found is None and command is orbweb and re.search(r"[.:/]", name):
            found, rest = orbweb.get_command(context, "crawl"), words
        if found is None:
            yield f"there is no command {name!r}"
            return
        command, words = found, rest
    assert command is not None
    known = {name for param in command.get_params(context) for name in param.opts}
    for word in words:
        if word.startswith("-") and word not in ("-", "--"):
            name = word.partition("=")[0]
            if name not in known and name[:2] not in known:
                yield f"{command.name} has no option {name}"


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_commands_and_options_exist(document: Path) -> None:
    calls = list(command_lines(document.read_text(encoding="utf-8")))
    found = [
        f"{shlex.join(call)}: {wrong}" for call in calls for wrong in mistakes(call)
    ]
    assert found == []


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_linked_files_exist(document: Path) -> None:
    links = re.findall(
        r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8")
    )
    assert [link for link in links if not (document.parent / link).exists()] == []


def paths_that_are_gone(text: str) -> list[str]:
    """The paths below `crawler`, `hub` and `tests` in a text that do not exist."""
    named = re.findall(r"(?<![\w/.])((?:crawler|hub|tests)/[\w/.-]*\w)", text)
    return [name for name in named if not (ROOT / name).exists()]


def test_paths_that_are_named_exist() -> None:
    """In documents, docstrings and comments alike: a file that moves is renamed there.

    The compatibility tests of the hub quote paths of other projects.
    """
    sources = {*DOCUMENTS, *ROOT.glob("*.toml")}
    for room in ("crawler", "hub", "tests"):
        sources |= {
            path
            for path in ROOT.glob(f"{room}/**/*.py")
            if "compat" not in path.parts and path.name != "test_docs.py"
        }
    gone = {
        str(path.relative_to(ROOT)): found
        for path in sources
        if (found := paths_that_are_gone(path.read_text(encoding="utf-8")))
    }
    assert gone == {}
    assert paths_that_are_gone("`hub/pool.py`, crawler/gone.py.") == ["crawler/gone.py"]


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if "orbweb" not in text:
        pytest.skip("the README is not written yet")
    assert [name for name in COMMANDS if f"orbweb {name}" not in text] == []


def test_these_tests_can_fail() -> None:
    text = (
        "Run `orbweb staus DIR`.\n```sh\n$ orbweb schema --form md | head # --no\n"
        "orbweb config chek\norbweb schema -fmd > x --bad\n"
        "foo | python cli.py -V\n```\n"
    )
    calls = list(command_lines(text))
    assert [len(call) for call in calls] == [2, 3, 2, 2, 1]
    assert [wrong for call in calls for wrong in mistakes(call)] == [
        "there is no command 'staus'",
        "schema has no option --form",
        "there is no command 'chek'",
    ]
