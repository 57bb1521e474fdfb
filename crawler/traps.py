"""Traps: parts of a site that go on for ever and say nothing new. No I/O, no clock.

Theory. A trap makes its own links: a calendar's month leads to the next month, a page with a
session id to pages with newer ids, a list sorted by price to the same list sorted by name. How long
a chain is proves nothing, for archives are long too. What tells them apart is *yield*: a fetch that
brings nothing which was not on the pages before it was for nothing. So three things are learnt.

**Templates.** URLs are counted by what they have in common: the path with digits as `#`, and with
`*` where a folder has shown more than 32 names; a folder that repeats counts once (`/a/b/a/b` is
`/a/b+`). Beside the path each key of the query stands for itself, in its part of the site (the
first folder) and in the whole host: of `?sort=`, `?page=` and `?sid=` one may be worth following.

**What is new.** A page's text is cut at its tags into blocks, words with digits in them become `#`,
and so does what the URL's own query says. A page is new if a block was not seen on this host, or a
picture, or four numbers that are no dates. So a list in another order is old though not a byte is
where it was, and so is a near-duplicate with another date, another counter or another session,
while an archive's entry needs one sentence of its own. (SimHash and MinHash compare whole pages:
boilerplate makes entries alike, and the threshold is a guess. Blocks forget boilerplate by seeing
it twice: C. Kohlschuetter et al., "Boilerplate Detection using Shallow Text Features", 2010.)

**Credit.** Each template begins with CREDIT fetches. One that brings nothing new costs one; one
that does earns GAIN, up to CREDIT, for itself and for the list that led to it. At zero the template
is *cut*: its URLs are skipped, where a page of that same part leads to them. Where a query is to
blame (or a `;jsessionid=`), the key with the least credit pays. A cut quarters the credit of the
part's other keys, since orders and filters come together; and the URL without its keys takes the
place of the one skipped, so that a site whose links all carry a session id is still read whole
(which is why a key earns 1 and not GAIN: to cut one early is no loss). Where the page's own
template is too new to pay, its part of the site does, from the second folder on: `/shop/red/small`.

Only what feeds itself pays: pages found on pages of the same part (or with the same key), a link
deeper than the template was first met, and not the first FREE. So whatever an index lists is read,
however alike its entries are, and however many. Ordinary pages are not even looked at; a template
that yields is looked at more and more rarely, down to every 32nd page. What is under way when a
template is cut is lost: a trap costs some 40 to 150 requests with up to eight at once on the host,
and with 32 at once up to 60 more.

What this can't see: text made up by the server for each request. Limits are for that
(`limits.max_pages_per_host`, `limits.max_pages_per_template`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from crawler.config import LimitsConfig
from crawler.notes import PAGES_OF_TEMPLATE, TRAPS, Notes
from crawler.records import ImageLink, Lease, Skip
from crawler.url import host_key

CREDIT = 32
GAIN = 4
FREE = 8
WIDE = 2 * CREDIT
"""Credit of a key on the whole host, and of a part of the site where no single template fails."""
RARELY = 32
STREAK = 16
"""A template is looked at half as often after each so many pages that were new, down to RARELY."""
MOST_NAMES = 32
"""Of a folder; beyond, any name is `*`."""
LISTED = ("seed", "sitemap", "sitemap_index", "robots_sitemap", "feed")
"""How URLs are found that somebody has named on purpose."""
MOST_HOSTS = 512
MOST_UNITS = 4096
"""Of one host, and folders of it that are watched."""
MOST_BLOCKS = 8192
"""Of one host, in each of two halves: when the newer one is full the older one is forgotten."""
MOST_TEXT = 128 * 1024
NUMBERS = 4

_PARAMETER = re.compile(r"(;[^/;=?]+=)[^/;?]*")
_KEY = re.compile(r"[^?;]*[?;][^=]*=").fullmatch


class _Shape(NamedTuple):
    """What a URL has in common with others."""

    path: str
    first: str
    """The first folder, masked but as it is written."""
    part: str
    """The same, or `/*`."""
    keys: tuple[str, ...]
    """`?name=`, and `;name=` of path parameters."""
    repeats: bool
    combined: bool
    """It has two folders or more below its part: one of many ways to put them together."""


_NOWHERE = _Shape("", "", "", (), False, False)


class _Unit:
    """A template, a key or a part of the site, and what it has earned."""

    __slots__ = (
        "countdown", "credit", "cuts", "entry", "fetched", "gain", "limit", "name", "streak"
    )  # fmt: skip

    def __init__(self, name: str, limit: int, depth: int) -> None:
        self.name = name
        self.gain = 1 if _KEY(name) else GAIN
        self.limit = self.credit = limit
        self.entry = depth
        self.fetched = 0
        self.cuts = 0
        self.countdown = 1
        self.streak = 0
        """Pages in a row that were looked at and were new."""

    def feeds_itself(self, depth: int) -> bool:
        return self.fetched > FREE and depth > self.entry

    def due(self) -> bool:
        self.countdown -= 1
        return self.countdown <= 0

    def earn(self) -> None:
        self.credit = min(self.limit, self.credit + self.gain)
        self.streak += 1
        self.countdown = min(RARELY, 1 << self.streak // STREAK)

    def pay(self) -> bool:
        """Whether that was the last of it."""
        self.streak = 0
        self.countdown = 1
        self.credit -= 1
        return self.credit <= 0


class Cut(msgspec.Struct, frozen=True):
    """The end of a template: the rule that says so, and the depth where it was first met."""

    rule: str
    entry: int


class _Host:
    __slots__ = ("blocks", "folders", "old_blocks", "paid", "patience", "units")

    def __init__(self) -> None:
        self.units: dict[str, _Unit] = {}
        self.folders: dict[str, set[str] | None] = {}
        """Names in each folder; None where any name will do."""
        self.blocks: set[int] = set()
        self.old_blocks: set[int] = set()
        self.patience = CREDIT // 2
        """For pages that took the place of others, and are old."""
        self.paid = False
        """Some template has less than its whole credit, or had."""


class Traps:
    """Learns the traps of one crawl. What is cut is kept in `notes`, for a resume."""

    def __init__(self, config: LimitsConfig, notes: Notes) -> None:
        self._config = config
        self._notes = notes
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._cuts: dict[str, dict[str, Cut]] = {}
        self._stripped: set[str] = set()
        self._parent = "", _NOWHERE
        if config.traps:
            for host, value in notes.notes(TRAPS):
                self._cuts[host] = msgspec.msgpack.decode(value, type=dict[str, Cut])

    def judge(self, url: str, parent_url: str | None, depth: int) -> Skip | None:
        """Why `url`, found on `parent_url`, leads nowhere, if so."""
        found = self._cut(url, parent_url, depth) if self._cuts else None
        return None if found is None else Skip("trap", found[1].rule)

    def instead(self, url: str, parent_url: str | None, depth: int) -> str | None:
        """The URL to look at in place of one that `judge` refuses: the same without such keys."""
        found = self._cut(url, parent_url, depth)
        if found is None or not _KEY(found[0]):
            return None
        cuts = self._cuts[host_key(url)]
        shape = _shape(url, {}, learn=False)
        stripped = url
        for key in shape.keys:
            if key in cuts or shape.part + key in cuts:
                stripped = _without(stripped, key)
        if len(self._stripped) >= MOST_UNITS:
            self._stripped.clear()
        self._stripped.add(stripped)
        return stripped

    def judge_lease(self, lease: Lease) -> Skip | None:
        """The same at the last moment, and the user's own limit for each template."""
        if lease.want != "page" or lease.kind in LISTED:
            return None
        skip = None
        if lease.kept is None:  # what was worth a request in the crawl before is asked again
            skip = self.judge(lease.url, lease.parent_url, lease.depth)
        return skip or self._judge_count(lease)

    def count(self, lease: Lease) -> None:
        """A page was fetched, or is as it was."""
        if self._config.max_pages_per_template is not None:
            key = self._template(lease)
            self._notes.set_note(PAGES_OF_TEMPLATE, key, b"%d" % (self._pages_of(key) + 1))

    def learn(self, lease: Lease, body: bytes, images: Iterable[ImageLink]) -> None:
        """A page was fetched; `body` is what it says, its content codings undone."""
        if not self._config.traps:
            return
        host = self._host(lease.host)
        shape = _shape(lease.url, host.folders, learn=True)
        suspects = self._suspects(host, shape, lease)
        if suspects and not sum(unit.due() for unit in suspects):
            return
        if not suspects or _is_new(host, _text(body, lease.url), images, bag=shape.repeats):
            for unit in suspects:
                unit.earn()
            _reward(host, lease)
        elif lease.url in self._stripped and host.patience:
            host.patience -= 1  # it says what was read under another address: to be expected
        else:
            self._blame(lease.host, host, shape, suspects)

    # Which templates a fetch counts for

    def _suspects(self, host: _Host, shape: _Shape, lease: Lease) -> list[_Unit]:
        """The templates of the URL that would feed themselves with it."""
        likely = []
        for name, limit, kind, pays in _units(shape):
            unit = host.units.get(name)
            if unit is None:
                if len(host.units) >= MOST_UNITS:
                    _forget(host)
                unit = host.units[name] = _Unit(name, limit, lease.depth)
            unit.fetched += 1
            unit.entry = min(unit.entry, lease.depth)
            if pays and unit.feeds_itself(lease.depth):
                likely.append((unit, kind))
        if not likely:
            return []
        if lease.kind in LISTED:
            return []
        fed = self._fed_by(shape, lease.url, lease.parent_url)
        return [unit for unit, kind in likely if kind in fed]

    def _fed_by(self, shape: _Shape, url: str, parent_url: str | None) -> frozenset[str]:
        """Which of a URL's templates the page it was found on has too: "/" stands for its part."""
        if parent_url is None or host_key(parent_url) != host_key(url):
            return frozenset()
        if parent_url != self._parent[0]:  # most often it is the one that was asked for last
            self._parent = parent_url, _shape(parent_url, {}, learn=False)
        parent = self._parent[1]
        if shape.first == parent.first:
            return frozenset((*parent.keys, "/"))
        return frozenset(parent.keys)

    def _blame(self, name: str, host: _Host, shape: _Shape, suspects: list[_Unit]) -> None:
        """Nothing new: the likeliest cause pays, and what is at its end is cut."""
        by_name = {unit.name: unit for unit in suspects}
        keys = [key for key in shape.keys if shape.part + key in by_name]
        narrow = wide = None
        if keys:
            key = min(keys, key=lambda key: by_name[shape.part + key].credit)
            narrow, wide = by_name[shape.part + key], by_name.get(key)
        elif not shape.keys:
            narrow, wide = by_name.get(shape.path), by_name.get(f"{shape.part}/...")
        host.paid = True
        if narrow is not None and narrow.pay() and self._end(name, narrow):
            if keys:
                _distrust(host, shape.part)
            if wide is not None:  # the cause is found: it need not be looked for any wider
                wide.credit = min(wide.limit, wide.credit + CREDIT)
                wide.cuts += 1
        if wide is not None and (wide.pay() or wide.cuts >= 3):
            self._end(name, wide)

    def _end(self, host: str, unit: _Unit) -> bool:
        """Cut the template; False if it is cut already, and this page was still on its way."""
        cuts = self._cuts.setdefault(host, {})
        if unit.name in cuts:
            return False
        rule = f"limits.traps: {unit.name} gave nothing new, after {unit.fetched} pages"
        cuts[unit.name] = Cut(rule, unit.entry)
        self._notes.set_note(TRAPS, host, msgspec.msgpack.encode(cuts))
        return True

    def _cut(self, url: str, parent_url: str | None, depth: int) -> tuple[str, Cut] | None:
        """The template of the URL that is cut, if it leads on from itself."""
        name = host_key(url)
        cuts = self._cuts.get(name)
        if not cuts or parent_url is None:
            return None
        host = self._hosts.get(name)
        shape = _shape(url, host.folders if host else {}, learn=False)
        fed = self._fed_by(shape, url, parent_url)
        again = parent_url in self._stripped  # which has no key any more, to be fed by
        for unit, _, kind, pays in _units(shape):
            cut = cuts.get(unit)
            if cut is not None and pays and (kind in fed or again) and depth > cut.entry:
                return unit, cut
        return None

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host()
            if len(self._hosts) > MOST_HOSTS:
                self._hosts.popitem(last=False)
        else:
            self._hosts.move_to_end(name)
        return host

    # The user's limit

    def _judge_count(self, lease: Lease) -> Skip | None:
        limit = self._config.max_pages_per_template
        if limit is None:
            return None
        key = self._template(lease)
        if self._pages_of(key) < limit:
            return None
        template = key.partition(" ")[2]
        return Skip("trap", f"limits.max_pages_per_template: {limit} of {template}")

    def _template(self, lease: Lease) -> str:
        """Host and template; the folders that were learnt do not count, lest it change."""
        shape = _shape(lease.url, {}, learn=False)
        return f"{lease.host} {shape.path}{''.join(sorted(shape.keys))}"

    def _pages_of(self, key: str) -> int:
        return int(self._notes.note(PAGES_OF_TEMPLATE, key) or 0)


def _reward(host: _Host, lease: Lease) -> None:
    """A page was new: that speaks for the list, however dull, that led to it."""
    parent = lease.parent_url
    if not host.paid or parent is None or host_key(parent) != lease.host:
        return
    for name, *_ in _units(_shape(parent, host.folders, learn=False)):
        unit = host.units.get(name)
        if unit is not None:
            unit.credit = min(unit.limit, unit.credit + unit.gain)


def _forget(host: _Host) -> None:
    """Drop the templates that were met once or twice, or else all."""
    host.units = {name: unit for name, unit in host.units.items() if unit.fetched > 2}
    if len(host.units) > MOST_UNITS // 2:
        host.units.clear()


def _distrust(host: _Host, part: str) -> None:
    """One key of this part was cut: the others have less credit."""
    for name, unit in host.units.items():
        if name.startswith((f"{part}?", f"{part};")):
            unit.limit = max(GAIN, unit.limit // 4)
            unit.credit = min(unit.credit, unit.limit)


# ------------------------------------------------------------------ templates

_DIGITS = re.compile(r"[0-9A-Za-z]*[0-9][0-9A-Za-z]*")


def _without(url: str, key: str) -> str:
    """The URL without the parameter `?name=` of its query, or `;name=` of its path."""
    path, _, query = url.partition("?")
    if key[0] == ";":
        path = _PARAMETER.sub(lambda one: "" if _masked(one[1]) == key else one[0], path)
    kept = [pair for pair in query.split("&") if f"?{_masked(pair.partition('=')[0])}=" != key]
    return f"{path}?{'&'.join(kept)}" if query and kept else path


def _masked(name: str) -> str:
    return _DIGITS.sub("#", name)


def _shape(url: str, folders: dict[str, set[str] | None], *, learn: bool) -> _Shape:
    """The templates of a canonical URL. `folders` says where any name will do, and learns it."""
    path, _, query = url.split("/", 3)[3].partition("?")
    parameters = _PARAMETER.findall(path) if ";" in path else ()
    shape = ""
    known: set[str] = set()
    repeats = False
    names = _masked(_PARAMETER.sub("", path) if parameters else path).split("/")
    for name in names:
        if name and "#" not in name:
            name = _name_in(folders, shape, name, learn=learn)
            if name in known and name != "*":
                repeats = True
                continue
            known.add(name)
        shape += f"/{name}"
    keys = [f"?{pair.partition('=')[0]}=" for pair in query.split("&")[:16]] if query else []
    keys = [_masked(key) for key in (*keys, *parameters)]
    part = f"/{shape.split('/', 2)[1]}"
    path = f"{shape}+" if repeats else shape
    return _Shape(path, names[0], part, tuple(dict.fromkeys(keys)), repeats, len(names) > 2)


def _name_in(folders: dict[str, set[str] | None], folder: str, name: str, *, learn: bool) -> str:
    if folder not in folders:
        if learn and len(folders) < MOST_UNITS:
            folders[folder] = {name}
        return name
    names = folders[folder]
    if names is None:
        return "*"
    if learn:
        names.add(name)
        if len(names) > MOST_NAMES:
            folders[folder] = None
    return name


def _units(shape: _Shape) -> list[tuple[str, int, str, bool]]:
    """Name, credit, what the parent must have ("/": the same part; or the key), and may it pay?"""
    units = [(shape.path, CREDIT, "/", True), (f"{shape.part}/...", WIDE, "/", shape.combined)]
    for key in shape.keys:
        units.append((shape.part + key, CREDIT, key, True))
        units.append((key, WIDE, key, True))
    return units


# ------------------------------------------------------------------ what is new

# Each alternative eats what it has seen, closed or not: linear in the text.
_ELEMENT = b"[sS][cC][rR][iI][pP][tT]|[sS][tT][yY][lL][eE]|[tT][eE][mM][pP][lL][aA][tT][eE]"
_MARKUP = re.compile(
    rb"<(?:[^<>!sStT][^<>]*+>?|!--.*?(?:-->|\Z)|(" + _ELEMENT + rb")\b.*?(?:</\1|\Z)|[^<>]*+>?)",
    re.DOTALL,
)
_DIGITS_AS_HASHES = bytes.maketrans(b"0123456789", b"##########")
_NUMBER = re.compile(rb"#[0-9A-Za-z#]*")
_NO_DATES = re.compile(rb"[0-9]+[.,][0-9]+|[0-9]{5,}")
_WORDS = re.compile(rb"[^\W_]+")
_QUERY = re.compile(r"[?;]").split
_VALUE = re.compile(r"=([^&#%+]{3,64})")


def _text(body: bytes, url: str) -> bytes:
    """The text of a document, a block a line, without what the URL's own query says."""
    text = _MARKUP.sub(b"\n", body[:MOST_TEXT])
    for value in _VALUE.findall(url)[:16]:
        text = text.replace(value.encode(), b"#")
    return text


def _is_new(host: _Host, text: bytes, images: Iterable[ImageLink], *, bag: bool) -> bool:
    """Whether a page has what this host has not shown before; from now on it has.

    `bag`: of each block only the set of its words counts, as where a trail repeats itself.
    """
    masked = _NUMBER.sub(b"#", text.translate(_DIGITS_AS_HASHES))
    blocks: set[object] = set(masked.split(b"\n"))
    if bag:
        blocks = {frozenset(_WORDS.findall(block)) for block in masked.split(b"\n")}
    blocks.update(_QUERY(image.url, 1)[0] for image in images)
    if _remember(host, {hash(block) for block in blocks}):
        return True
    numbers = {hash((b"#", number)) for number in _NO_DATES.findall(text)}
    return _remember(host, numbers) >= NUMBERS


def _remember(host: _Host, hashes: set[int]) -> int:
    """How many of them were not known; from now on they are."""
    new = hashes - host.blocks
    new -= host.old_blocks
    if len(host.blocks) > MOST_BLOCKS:
        host.old_blocks, host.blocks = host.blocks, set()
    host.blocks |= hashes
    return len(new)
