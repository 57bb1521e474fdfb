"""The references of XML (`&amp;`, `&#38;`, `&name;`), and how far entities may grow.

Nothing is ever loaded: an entity with a SYSTEM or PUBLIC identifier is not declared
here, and neither is a parameter entity. The text of an entity is text; XML would read
elements in it (section 4.4.2), which no sitemap or feed uses.
"""

from __future__ import annotations

import re
from html.entities import html5

_NAME = r"[A-Za-z_:\x80-\U0010ffff][\w:.\-]*+"
_REFERENCE = re.compile(
    rf"&(?:#(?:x([0-9a-fA-F]{{1,8}}+)|([0-9]{{1,9}}+))|({_NAME}));"
).sub
_CHARACTER = re.compile(r"&#(?:x([0-9a-fA-F]{1,8}+)|([0-9]{1,9}+))();").sub
_DECLARATIONS = re.compile(
    rf"""<!--.*?-->|<!ENTITY[ \t\r\n]++({_NAME})[ \t\r\n]++(?:"([^"]*+)"|'([^']*+)')""",
    re.DOTALL,
).findall
_PREDEFINED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_MAX_NESTED = 16
"""Entities that refer to one another in a row."""
_MAX_GROWTH = 2**20
"""Characters and references that all entities of one document may add to it."""


class EntityGrowth(Exception):
    """The entities of a document grow beyond _MAX_GROWTH, or contain themselves."""


class Entities:
    """The entities of one document."""

    def __init__(self) -> None:
        self._declared: dict[str, str] = {}
        self._left = _MAX_GROWTH

    def declare(self, subset: str) -> None:
        """Declare the entities of an internal subset; the first of a name counts."""
        for name, double, single in _DECLARATIONS(subset):
            if name:
                value = _CHARACTER(_character, double or single)
                self._declared.setdefault(name, value)

    def resolve(self, text: str, nested: int = 0) -> str:
        """`text` with its references resolved. Raises EntityGrowth.

        Feeds use the names of HTML without declaring them, so these are known. An `&`
        that begins no reference stays as it is, and so does an unknown name: most often
        it is the query of a URL that was written without care.
        """
        if "&" not in text:
            return text

        def replacement(found: re.Match[str]) -> str:
            name = found[3]
            if name is None:
                return _character(found)
            if name in _PREDEFINED:
                return _PREDEFINED[name]
            if name in self._declared:
                return self._expanded(name, nested)
            return html5.get(f"{name};", found[0])

        return _REFERENCE(replacement, text)

    def _expanded(self, name: str, nested: int) -> str:
        value = self._declared[name]
        self._left -= len(value) + 1
        if self._left < 0 or nested >= _MAX_NESTED:
            raise EntityGrowth(name)
        return self.resolve(value, nested + 1)


def _character(found: re.Match[str]) -> str:
    """The character of a numeric reference; U+FFFD for what is none."""
    code = int(found[1], 16) if found[1] else int(found[2])
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code == 0:
        return "\ufffd"
    return chr(code)
