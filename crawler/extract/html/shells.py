"""Whether a page is an empty shell that a script in it fills: it needs JavaScript.

Theory. What a browser would show is not known without running the scripts. Known is
what the page has without them: the text outside scripts, links, form controls, media,
and whether the element is empty that such programs fill (`id="root"`, `<app-root>`).

    shell =  a script that may build the page, no frame, no refresh, and either
             - an empty root element, little text, at most three links, or
             - nothing at all but a few words

What is in `<noscript>` or is hidden is not seen by a person, so it does not count; a
long text in `<noscript>` does, because it is the page for those without JavaScript.

Measured: all 40 shells in `shells.txt` that did not lead to a change of the rule, and
23 of 24 pages that real projects had built (the other has a search field, which counts
as content); 1 of 9,110 pages of manuals, of which 928 have a script and few links. Such
a page takes 140 us, others nothing, which is 14 us a page.

The text is read up to where it is too much for a shell, so an ordinary page costs its
first 500 characters of text. No tree: an element ends where as many end tags of its
name as start tags were seen. Each character is read at most three times, and
_MAX_TAGS bounds the tags.
"""

from __future__ import annotations

import re

from crawler.extract.html.tags import attributes
from crawler.model.regex import compiled

_MAX_TAGS = 3000
_MAX_TEXT = 500
"""Characters of a shell's visible text, if it has an empty root element."""
_MAX_WORDS = 200
"""Characters, if it has none: a message that it is loading."""
_MAX_LINKS = 3
_MAX_IN_ROOT = 150
"""Characters of the message in a root element that counts as empty."""
_MAX_PARAGRAPHS = 10
_MAX_COUNTED = 50_000
"""Characters in which paragraphs are counted, which is the cheapest test."""
_MIN_NOSCRIPT = 800
"""Characters of text in `<noscript>` that are content, and no request to enable it."""

_SPACE = r"\t\n\f\r "
_TAG = compiled(
    rf"<(/?)([a-zA-Z][^{_SPACE}/>]*+)"
    rf"""((?:[^>="']++|=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+')?+|["'])*+)>"""
).match
_END_OF = {
    name: compiled(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE).search
    for name in ("script", "style", "title", "template", "noscript", "svg", "noframes")
}
_MARKUP = compiled(r"<[^>]*+>")
_NOT_SHOWN = compiled(r"display[\t\n\f\r ]*+:[\t\n\f\r ]*+none").search
_HREF = compiled(rf"""(?:^|[{_SPACE}"'])href[{_SPACE}]*+=""", re.IGNORECASE).search
_ID = compiled(
    rf"""(?:^|[{_SPACE}"'])id[{_SPACE}]*+=[{_SPACE}]*+["']?+([^{_SPACE}"'>]++)""",
    re.IGNORECASE,
).search
_ROOT = compiled(
    r"(?:^|[-_:.])(?:app|application|client|container|content|docusaurus|elm|ember"
    r"|entry|gatsby|graphiql|main|mount|next|nuxt|outlet|page|playground|react|redoc"
    r"|root|scalar|shell|site|spa|storybook|svelte|swagger|ui|view|vue|wrapper"
    r"|[a-z]*(?:app|root))(?:$|[-_:.\d])"
    r"|(?:App|Root|Mount|Container|Content|Outlet|View)(?:$|[-_\d])",
).search
_ROOT_ATTRIBUTE = compiled(
    rf"""(?:^|[{_SPACE}"'])(?:(?:data-)?ng-(?:app|view|controller)|(?:data-)?ui-view
    |data-react(?:root|class)|aurelia-app|v-cloak|data-page|data-props|au-app
    |data-controller)(?=[{_SPACE}=/]|$)""",
    re.IGNORECASE | re.VERBOSE,
).search
_CONTROLS = frozenset({"input", "textarea", "select"})
_MEDIA = frozenset({"audio", "embed", "img", "math", "object", "picture", "video"})
_FRAMES = frozenset({"frame", "frameset", "iframe"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}
)
_NEVER_SKIPPED = _VOID | {"html", "head", "body"}

_SOURCE = compiled(
    rf"""(?:^|[{_SPACE}"'])src[{_SPACE}]*+=[{_SPACE}]*+["']?+([^{_SPACE}"'>]++)""",
    re.IGNORECASE,
).search
_IS_PROGRAM = compiled(
    rf"""(?:^|[{_SPACE}"'])type[{_SPACE}]*+=[{_SPACE}]*+["']?+
    (?!module|text/(?:java|type|jsx|babel)|application/(?:x-)?java)[^{_SPACE}"'>]""",
    re.IGNORECASE | re.VERBOSE,
).search
_MEASURES = compiled(
    r"google-?(?:analytics|tagmanager|syndication|adservices)|gtag|/analytics|matomo"
    r"|piwik|plausible|cloudflareinsights|hotjar|newrelic|doubleclick|statcounter"
    r"|/beacon|email-decode|livereload|jquery(?:[.-][\w.]*)?\.js|html5shiv|respond\.",
    re.IGNORECASE,
).search
"""Scripts that measure visits, show advertisements or help others: they fill nothing.
"""
_BUILDS = compiled(
    r"\bimport\b|createElement|getElementById|querySelector|document\.(?:body|write)"
    r"|\.(?:init|mount|render|bootstrap|start|create)\(|__\w+__|webpack|require\(",
).search
_LEAVES = compiled(
    r"\blocation(?:\.href)?[\t ]*=(?!=)|\blocation\.(?:replace|assign)\("
).search
_MAX_SCRIPT = 4000
"""Characters of an inline script that are looked at."""


def needs_javascript(text: str) -> bool:
    """Whether the HTML in `text` is such a shell.

    The caller has seen a script, and that there is no refresh.
    """
    if text.count("</p>", 0, _MAX_COUNTED) > _MAX_PARAGRAPHS:
        return False
    seen = _Seen(text)
    return seen.read() and seen.is_shell()


def _is_hidden(written: str) -> bool:
    if "hidden" not in written and "none" not in written:
        return False
    values = attributes(written)
    return "hidden" in values or _NOT_SHOWN(values.get("style", "")) is not None


class _Seen:
    """What a page shows without its scripts."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tags_left = _MAX_TAGS
        self._characters = 0
        self._scripts: list[tuple[str, int, int]] = []
        self._links = self._controls = self._media = self._headings = 0
        self._runs = self._builds = self._leaves = False
        self._has_root = self._has_element = False
        self._root: tuple[str, int, int] | None = None
        """The root element that is open: name, depth, characters before it."""

    def is_shell(self) -> bool:
        is_short = self._characters < _MAX_WORDS
        is_empty = is_short and not (self._links or self._media or self._headings)
        has_root = self._has_root or (self._has_element and is_short)
        if not (has_root or is_empty):
            return False
        for script in self._scripts:
            self._script(*script)
        return (self._runs if has_root else self._builds) and not self._leaves

    def read(self) -> bool:
        """Read the page; False as soon as it shows too much for a shell."""
        text, position = self._text, 0
        while self._tags_left > 0:
            self._tags_left -= 1
            at = text.find("<", position)
            self._add_text(position, at if at >= 0 else len(text))
            if (
                self._characters > _MAX_TEXT
                or self._links > _MAX_LINKS
                or self._controls
            ):
                return False
            if at < 0:
                return True
            following = self._tag(at)
            if following is None:
                return False
            if following < 0:
                return True
            position = following
        return False

    def _add_text(self, start: int, end: int) -> None:
        if end > start:
            piece = self._text[start : min(end, start + 4 * _MAX_TEXT)]
            self._characters += len(" ".join(piece.split()))

    def _tag(self, at: int) -> int | None:
        """Read what begins at a `<`; where it ends.

        Less than 0: it is the rest of the page. None: the page is no shell.
        """
        text = self._text
        if text.startswith("<!--", at):
            return text.find("-->", at + 2) + 3 or -1
        found = _TAG(text, at)
        if found is None:
            if text[at + 1 : at + 2] in ("!", "?", "/"):
                return text.find(">", at) + 1 or -1
            is_text = not text[at + 1 : at + 2].isalpha()
            self._characters += is_text
            return at + 1 if is_text else -1
        name, written = found[2].lower(), found[3]
        if found[1]:
            self._end(name)
            return found.end()
        if name in _FRAMES and not written.rstrip().endswith("/"):
            return found.end() if _is_hidden(written) else None
        if name in _END_OF:
            return self._raw(name, written, found.end())
        if name not in _NEVER_SKIPPED and _is_hidden(written):
            return self._hidden_end(name, found.end())
        self._start(name, written)
        return found.end()

    def _start(self, name: str, written: str) -> None:
        if name == "a":
            self._links += _HREF(written) is not None
        elif name in _CONTROLS:
            self._controls += attributes(written).get("type") != "hidden"
        elif name in _MEDIA:
            self._media += 1
        elif len(name) == 2 and name[0] == "h" and name[1] in "123456":
            self._headings += 1
        if self._root is not None:
            root, depth, before = self._root
            if name == root:
                self._root = root, depth + 1, before
        elif name not in _VOID and name not in ("html", "head", "form"):
            self._note_root(name, written)

    def _note_root(self, name: str, written: str) -> None:
        identifier = _ID(written)
        if (
            "-" in name
            or name == "redoc"
            or (identifier is not None and _ROOT(identifier[1]))
            or _ROOT_ATTRIBUTE(written)
        ) and name != "body":
            self._root = name, 1, self._characters
            self._links_before = self._links

    def _end(self, name: str) -> None:
        if self._root is None or self._root[0] != name:
            return
        root, depth, before = self._root
        if depth > 1:
            self._root = root, depth - 1, before
            return
        self._root = None
        is_empty = (
            self._characters - before <= _MAX_IN_ROOT
            and self._links == self._links_before
        )
        if is_empty and "-" in name:
            self._has_element = True
        elif is_empty:
            self._has_root = True

    def _raw(self, name: str, written: str, start: int) -> int:
        """Skip an element of which nothing is text that is shown."""
        found = _END_OF[name](self._text, start)
        end = found.start() if found else len(self._text)
        if name == "script":
            self._scripts.append((written, start, end))
        elif name == "noscript":
            piece = self._text[start : min(end, start + 10 * _MIN_NOSCRIPT)]
            shown = " ".join(_MARKUP.sub(" ", piece).split())
            if len(shown) >= _MIN_NOSCRIPT:
                self._characters += len(shown)
        return self._text.find(">", end) + 1 or -1

    def _script(self, written: str, start: int, end: int) -> None:
        if _IS_PROGRAM(written):
            return  # data
        source = _SOURCE(written)
        if source is not None:
            self._builds = self._builds or not _MEASURES(source[1])
            self._runs = self._runs or self._builds
            return
        script = self._text[start : min(end, start + _MAX_SCRIPT)]
        if len(script) < 1000 and _LEAVES(script):
            self._leaves = True
        if not _MEASURES(script):
            self._runs = self._runs or bool(script.strip())
            self._builds = self._builds or _BUILDS(script) is not None

    def _hidden_end(self, name: str, start: int) -> int:
        """Where a hidden element ends."""
        depth, position, text = 1, start, self._text
        while self._tags_left > 0:
            self._tags_left -= 1
            at = text.find("<", position)
            found = _TAG(text, at) if at >= 0 else None
            if at < 0:
                break  # it is never closed
            position = found.end() if found else at + 1
            if found and found[2].lower() == name:
                depth += -1 if found[1] else 1
                if depth == 0:
                    return position
        return start
