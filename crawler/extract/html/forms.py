"""The forms of a page: which fields they have, and what a browser would send.

This is the part of the HTML Standard's section 4.10 that a login needs, read from the
tags alone: a control belongs to the form that is open where it stands, or to the one
that its `form` attribute names. Not followed, because that would need a tree or a
script: `legend` of a disabled `fieldset`, `dirname`, values of custom elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import unescape

from msgspec.structs import replace
from webencodings import lookup

from crawler.extract.body import MAX_MARKUP
from crawler.extract.charset import Markup, markup
from crawler.extract.html.tags import AnyTag, all_tags, attributes
from crawler.model.forms import Control, Enctype, Form
from crawler.model.url import join

MAX_CONTROLS = 2000
"""Controls of all forms of one page; further ones are ignored."""
MAX_VALUE = 64 * 2**10
"""Characters of the value of a control; the rest is cut off."""

_ENCTYPES: dict[str, Enctype] = {
    "multipart/form-data": "multipart/form-data",
    "text/plain": "text/plain",
}
_SENT_IF_CHECKED = ("checkbox", "radio")
_NEVER_SENT = frozenset({"submit", "image", "button", "reset", "file"})
_BUTTONS = ("submit", "image")
_ONE_LINE = frozenset({"text", "search", "tel", "url", "email", "password"})
"""Kinds of `input` whose value loses its line breaks (value sanitization)."""


def find_forms(body: bytes, charset: str | None, url: str) -> tuple[Form, ...]:
    """The forms of the HTML document at `url`, in its order.

    `charset` is that of the Content-Type.
    """
    document = markup(body, charset, MAX_MARKUP, url)
    return _Reader(document, url).read()


class _Reader:
    """Reads the forms from the tags of a document."""

    def __init__(self, document: Markup, url: str) -> None:
        self._document = document
        self._url = url
        self._base: str | None = None
        self._attributes: list[Mapping[str, str]] = []
        """The attributes of each form, in order."""
        self._controls: list[tuple[int | str, Control, Mapping[str, str]]] = []
        """Each with the index of its form or the id of it, and its attributes."""
        self._open: int | None = None
        self._select: _Select | None = None
        self._disabled = 0
        """How many of the open `fieldset` elements are disabled, or in such a one."""
        self._templates = 0

    def read(self) -> tuple[Form, ...]:
        text = self._document.text
        for tag in all_tags(text):
            if tag.name == "template":
                self._templates = max(0, self._templates + (-1 if tag.is_end else 1))
            elif self._templates or len(self._controls) >= MAX_CONTROLS:
                continue
            elif (read := _READERS.get((tag.name, tag.is_end))) is not None:
                read(self, tag)
        self._end_select()
        owners = self._by_form()
        return tuple(
            self._form(values, owners[index])
            for index, values in enumerate(self._attributes)
        )

    def _values(self, tag: AnyTag) -> Mapping[str, str]:
        return attributes(self._document.decode(tag.written))

    def base(self, tag: AnyTag) -> None:
        if self._base is None:
            self._base = self._values(tag).get("href")

    def form(self, tag: AnyTag) -> None:
        if self._open is None:  # a form in a form is ignored
            self._open = len(self._attributes)
            self._attributes.append(self._values(tag))

    def form_end(self, _tag: AnyTag) -> None:
        self._open = None

    def fieldset(self, tag: AnyTag) -> None:
        if self._disabled or "disabled" in self._values(tag):
            self._disabled += 1

    def fieldset_end(self, _tag: AnyTag) -> None:
        self._disabled = max(0, self._disabled - 1)

    def input(self, tag: AnyTag) -> None:
        values = self._values(tag)
        kind = values.get("type", "text").lower() or "text"
        value = values.get("value", "on" if kind in _SENT_IF_CHECKED else "")
        if kind in _ONE_LINE:
            value = value.replace("\r", "").replace("\n", "")
        if kind in ("url", "email"):
            value = value.strip("\t\f ")
        sent = "checked" in values if kind in _SENT_IF_CHECKED else True
        self._add(values, Control("", kind, value, sent and kind not in _NEVER_SENT))

    def button(self, tag: AnyTag) -> None:
        values = self._values(tag)
        kind = values.get("type", "submit").lower()
        if kind not in ("button", "reset"):
            self._add(values, Control("", "submit", values.get("value", ""), False))

    def textarea(self, tag: AnyTag) -> None:
        content = self._document.text[tag.end : tag.content_end].removeprefix("\r")
        value = unescape(self._document.decode(content.removeprefix("\n")))
        self._add(self._values(tag), Control("", "textarea", value))

    def select(self, tag: AnyTag) -> None:
        self._end_select()
        self._select = _Select(self._values(tag))

    def option(self, tag: AnyTag) -> None:
        if self._select is None:
            return
        values = self._values(tag)
        text = self._document.text
        end = text.find("<", tag.end)
        content = text[tag.end : len(text) if end < 0 else end][:MAX_VALUE]
        shown = " ".join(unescape(self._document.decode(content)).split())
        self._select.add(values.get("value", shown), values)

    def optgroup(self, tag: AnyTag) -> None:
        if self._select is not None:
            self._select.begin_group("disabled" in self._values(tag))

    def optgroup_end(self, _tag: AnyTag) -> None:
        if self._select is not None:
            self._select.begin_group(False)

    def select_end(self, _tag: AnyTag) -> None:
        self._end_select()

    def _end_select(self) -> None:
        chosen, self._select = self._select, None
        if chosen is None:
            return
        for value, sent in chosen.values():
            self._add(chosen.attributes, Control("", "select", value, sent))

    def _add(self, values: Mapping[str, str], control: Control) -> None:
        owner: int | str | None = values.get("form", self._open)
        if owner is None or "disabled" in values or self._disabled:
            return
        name = values.get("name", "")[:MAX_VALUE]
        named = replace(control, name=name, value=control.value[:MAX_VALUE])
        self._controls.append((owner, named, values))

    def _by_form(self) -> list[list[tuple[Control, Mapping[str, str]]]]:
        by_id: dict[str, int] = {}
        for index, values in enumerate(self._attributes):
            by_id.setdefault(values.get("id", ""), index)
        found: list[list[tuple[Control, Mapping[str, str]]]] = [
            [] for _ in self._attributes
        ]
        for owner, control, values in self._controls:
            if isinstance(owner, int):
                found[owner].append((control, values))
            elif owner in by_id and owner:
                found[by_id[owner]].append((control, values))
        return found

    def _form(
        self,
        values: Mapping[str, str],
        controls: Iterable[tuple[Control, Mapping[str, str]]],
    ) -> Form:
        """The form as its first submit button sends it, as the key Enter does."""
        own = [*controls]
        button = next((pair for pair in own if pair[0].kind in _BUTTONS), None)
        override = {} if button is None else button[1]
        base = join(self._url, self._base) if self._base is not None else None
        action = override.get("formaction") or values.get("action") or self._url
        method = override.get("formmethod") or values.get("method", "get")
        enctype = override.get("formenctype") or values.get("enctype", "")
        return Form(
            join(base or self._url, action) or "",
            "post" if method.lower() == "post" else "get",
            _ENCTYPES.get(enctype.lower(), "application/x-www-form-urlencoded"),
            _charset(values.get("accept-charset", ""), self._document.charset),
            tuple(
                replace(control, sent=control.sent or pair is button)
                for pair in own
                if (control := pair[0]).name
            ),
        )


class _Select:
    """A `select` whose options are being read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.attributes = values
        self._options: list[tuple[str, bool, bool]] = []
        """The value, whether it is selected, and whether it is disabled, of each."""
        self._in_disabled_group = False

    def begin_group(self, disabled: bool) -> None:
        """The options that follow are in a group that may be disabled."""
        self._in_disabled_group = disabled

    def add(self, value: str, values: Mapping[str, str]) -> None:
        if len(self._options) < MAX_CONTROLS:
            disabled = self._in_disabled_group or "disabled" in values
            self._options.append((value, "selected" in values, disabled))

    def values(self) -> list[tuple[str, bool]]:
        """The values that are sent; else one, so that the form has the field."""
        chosen = [
            (value, True)
            for value, selected, disabled in self._options
            if selected and not disabled
        ]
        several_lines = self.attributes.get("size", "1").strip() not in ("", "0", "1")
        if "multiple" in self.attributes or (several_lines and not chosen):
            return chosen or [("", False)]
        if not chosen:  # a list of one line shows its first option
            enabled = [value for value, _, disabled in self._options if not disabled]
            return [(enabled[0], True)] if enabled else [("", False)]
        return chosen[-1:]


def _charset(accepted: str, of_document: str) -> str:
    """The encoding of a form: the first that it accepts, else that of the page."""
    for label in accepted.replace(",", " ").split():
        if (encoding := lookup(label)) is not None:
            of_document = encoding.name
            break
    return "utf-8" if of_document.startswith(("utf-16", "replac")) else of_document


_READERS: dict[tuple[str, bool], Callable[[_Reader, AnyTag], None]] = {
    ("base", False): _Reader.base,
    ("form", False): _Reader.form,
    ("form", True): _Reader.form_end,
    ("fieldset", False): _Reader.fieldset,
    ("fieldset", True): _Reader.fieldset_end,
    ("input", False): _Reader.input,
    ("button", False): _Reader.button,
    ("textarea", False): _Reader.textarea,
    ("select", False): _Reader.select,
    ("select", True): _Reader.select_end,
    ("option", False): _Reader.option,
    ("optgroup", False): _Reader.optgroup,
    ("optgroup", True): _Reader.optgroup_end,
}
"""By name of a tag, and whether it is an end tag."""
