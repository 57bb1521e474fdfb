"""The code of docs/hub runs, its tables are complete, and what they name exists."""

from __future__ import annotations

import importlib
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.paths import ROOT

FOLDER = ROOT / "docs" / "hub"
DOCUMENTS = sorted(FOLDER.glob("*.md"))
GEVENT = (FOLDER / "coming-from-gevent.md").read_text(encoding="utf-8")
TRIO = (FOLDER / "coming-from-trio.md").read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(document, code, id=f"{document.stem}-{number}")
    for document in DOCUMENTS
    for number, code in enumerate(
        re.findall(
            r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL
        )
    )
]
CLASSES = {
    "gevent": ["Greenlet", "Timeout"],
    "gevent.event": ["AsyncResult", "Event"],
    "gevent.hub": ["Hub", "Waiter"],
    "gevent.local": ["local"],
    "gevent.lock": ["RLock", "Semaphore"],
    "gevent.pool": ["Group", "Pool"],
    "gevent.queue": ["Channel", "Queue"],
    "gevent.server": ["StreamServer"],
    "gevent.threadpool": ["ThreadPool"],
}


@pytest.mark.parametrize(("document", "code"), BLOCKS)
def test_the_code_runs(document: Path, code: str, tmp_path: Path) -> None:
    program = tmp_path / f"{document.stem}.py"
    program.write_text(code, encoding="utf-8")
    runpy.run_path(str(program))


def rows(text: str) -> list[list[list[str]]]:
    """The names in backticks in each cell of the tables of a text."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")] for line in lines
    ]


def resolve(name: str) -> Any:
    """The module or attribute of this name; LookupError if there is none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                raise LookupError(name)
            found = getattr(found, part)
        return found
    raise LookupError(name)


@pytest.mark.parametrize("text", [GEVENT, TRIO], ids=["gevent", "trio"])
def test_names_of_the_hub_in_the_tables_exist(text: str) -> None:
    names = [
        name
        for row in rows(text)
        for name in row[1]
        if re.fullmatch(r"hub(\.\w+)*", name)
    ]
    assert len(names) > 15
    for name in names:
        resolve(name)


@pytest.mark.filterwarnings("ignore:gevent.resolver_:DeprecationWarning")
def test_names_of_the_other_library_exist() -> None:
    for text, library in ((GEVENT, "gevent"), (TRIO, "trio")):
        pytest.importorskip(library)
        for row in rows(text):
            for name in row[0]:
                if re.fullmatch(rf"{library}(\.\w+)+", name):
                    resolve(name)
    with pytest.raises(LookupError):
        resolve("gevent.no_such_name")


def test_each_public_name_of_gevent_is_in_the_hub_or_on_the_page() -> None:
    pytest.importorskip("gevent")
    described = {name for row in rows(GEVENT) for name in row[0]}
    modules = {
        row[0][0]: row[1][0]
        for row in rows(GEVENT.partition("## Modules")[2].partition("\n## ")[0])
        if row[0]
    }
    assert len(modules) > 15
    pairs = [
        *modules.items(),
        *(
            (f"{module}.{name}", f"{modules[module]}.{name}")
            for module, names in CLASSES.items()
            for name in names
        ),
    ]
    missing = {
        f"{theirs}.{name}"
        for theirs, ours in pairs
        for name in public(resolve(theirs))
        if not hasattr(resolve(ours), name)
    }
    missing = {name.replace("pool.Pool.", "pool.Group.") for name in missing}
    assert sorted(missing - described) == []


def test_each_module_of_gevent_is_on_the_page() -> None:
    gevent = pytest.importorskip("gevent")
    described = {name for row in rows(GEVENT) for name in row[0]}
    folder = Path(gevent.__file__).parent
    modules = {
        f"gevent.{path.stem}"
        for path in (*folder.glob("*.py"), folder / "monkey")
        if not path.stem.startswith("_") and path.stem != "win32util"
    }
    assert len(modules) > 30
    assert sorted(modules - described) == []


def public(thing: Any) -> list[str]:
    names = getattr(thing, "__all__", None) or dir(thing)
    return [name for name in names if not name.startswith("_")]
