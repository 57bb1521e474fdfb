"""Forms of a page, as far as sending them needs (HTML Standard, section 4.10)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Enctype = Literal[
    "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"
]


class Control(Struct, frozen=True):
    """A field of a form: a name, and the value that the page gives it."""

    name: str
    kind: str
    """The type of an `input`, in lower case; else `select` or `textarea`."""
    value: str = ""
    sent: bool = True
    """Whether a browser sends it if the user changes nothing."""


class Form(Struct, frozen=True):
    """A form, with its controls in the order of the page."""

    action: str
    """Canonical URL, without a fragment; empty where it is none of http or https."""
    method: Literal["get", "post"]
    enctype: Enctype
    charset: str
    """Name of the encoding in which it is sent (Encoding Standard)."""
    controls: tuple[Control, ...]

    def has(self, names: frozenset[str]) -> bool:
        """Whether it has a control of each of these names."""
        return names <= {control.name for control in self.controls}

    def has_password(self) -> bool:
        return any(control.kind == "password" for control in self.controls)
