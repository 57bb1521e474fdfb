"""The text of a page for its record; a plug-in of our own in the extraction process.

The crawl imports this module for the plug-in's options, so what finds the text is
imported where it is used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from crawler.model.documents import PageText
from crawler.model.errors import ExtractFailure, failure_text
from crawler.model.url import join

if TYPE_CHECKING:
    from lxml.html import HtmlElement

FIELDS = ("text", "markdown")
"""The values of `records.include` that this fills."""
PACKAGES = {"trafilatura": "trafilatura", "html_to_markdown": "html-to-markdown"}
"""What the extra `text` installs, by module."""
MAX_CHARACTERS = 16 * 2**20
"""The maximum length of the text, and of the Markdown, of one page."""


class TextDocument(Protocol):
    """A page, as a plug-in sees it (`crawler/plugins/document.py`)."""

    @property
    def url(self) -> str: ...
    @property
    def tree(self) -> HtmlElement: ...


def check_installed(include: Collection[str]) -> None:
    """Raises ValueError, a sentence for the user, if the extra is missing."""
    wanted = [field for field in FIELDS if field in include]
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if wanted and missing:
        raise ValueError(f"{wanted[0]} needs {missing[0]}: pip install 'orbweb[text]'")


class PageTexts:
    """Finds the text of pages. `include` names the fields; `whole`: not the main one.

    It is used as a plug-in is; its `extract` gives a PageText instead of fields.
    """

    fills_record = True
    """The findings are columns of the page's record (`crawler/plugins/child.py`)."""

    def __init__(self, include: Sequence[str], whole: bool) -> None:
        self._include = include
        self._whole = whole

    def load(self) -> None:
        """Import the libraries (0.25 s), so that no page pays for it.

        Raises ExtractFailure.
        """
        try:
            check_installed(self._include)
            import crawler.extract.text.main_element  # noqa: F401

            if not self._whole:
                _ = self._options
            if "markdown" in self._include:
                import html_to_markdown  # noqa: F401
        except (ImportError, ValueError) as error:
            raise ExtractFailure(f"text: {error}") from error

    def extract(self, document: TextDocument) -> PageText:
        """The text of one page. Raises ExtractFailure."""
        try:
            found = self._find(document.tree, document.url)
        except MemoryError:
            raise
        except Exception as error:  # of libraries, which untrusted bytes may provoke
            raise ExtractFailure(f"text: {failure_text(error)}") from error
        for field in (found.text, found.markdown):
            if field is not None and len(field) > MAX_CHARACTERS:
                raise ExtractFailure(
                    f"text: {len(field)} characters, more than {MAX_CHARACTERS}"
                )
        return found

    def _find(self, tree: HtmlElement, url: str) -> PageText:
        from crawler.extract.text.plain import count_words, text_of

        text = text_of(_body_of(tree)) if self._whole else self._main_text(tree)
        markdown = None
        if "markdown" in self._include:
            markdown = self._markdown(tree, url, text)
        return PageText(
            text if "text" in self._include else None, markdown, count_words(text)
        )

    @cached_property
    def _options(self) -> Any:
        from trafilatura.settings import Extractor

        return Extractor(output_format="txt", fast=True, comments=False, tables=True)

    def _main_text(self, tree: HtmlElement) -> str:
        from trafilatura import extract

        return extract(tree, options=self._options) or ""

    def _markdown(self, tree: HtmlElement, url: str, text: str) -> str:
        from crawler.extract.text.main_element import main_element
        from crawler.extract.text.markdown import markdown_of

        if not text:
            return ""
        element = _body_of(tree) if self._whole else main_element(tree, text)
        return markdown_of(element, _base(tree, url), whole=self._whole)


def _body_of(tree: HtmlElement) -> HtmlElement:
    from crawler.extract.text.main_element import body_of

    return body_of(tree)


def _base(tree: HtmlElement, url: str) -> str:
    """What relative URLs of the page count from."""
    named = tree.find(".//base[@href]")
    return url if named is None else join(url, named.get("href", "")) or url
