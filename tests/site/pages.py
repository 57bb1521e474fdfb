"""The whole fixture site: all subjects, and the index that links to them."""

from __future__ import annotations

from types import ModuleType

from tests.site import (
    codings,
    content,
    downloads,
    images,
    redirects,
    robots,
    sizes,
    statuses,
    syntax,
    transport,
    traps,
)
from tests.site.page import Page, reply
from tests.site.server import Handler

SUBJECTS: tuple[ModuleType, ...] = (
    transport,
    syntax,
    sizes,
    codings,
    redirects,
    statuses,
    content,
    downloads,
    images,
    robots,
    traps,
)
PAGES: list[Page] = [page for subject in SUBJECTS for page in subject.PAGES]


def index() -> str:
    parts = ["<!doctype html><title>The fixture site</title>"]
    for subject in SUBJECTS:
        parts.append(
            f"<h2>{subject.__name__.rpartition('.')[2]}</h2><p>{subject.__doc__}</p><ul>"
        )
        listed = [page.path for page in subject.PAGES if page.listed]
        parts += [f'<li><a href="{path}">{path}</a>' for path in listed]
        parts.append("</ul>")
    return "\n".join(parts)


def handlers() -> dict[str, Handler]:
    """The handlers by the first segment of the path, as `Site` takes them."""
    table: dict[str, Handler] = {"": reply(index())}
    for page in PAGES:
        if table.setdefault(page.name, page.answer) is not page.answer:
            raise ValueError(f"two pages are called {page.name}")
    return table
