"""Traps: parts of a site that go on for ever and say nothing new. No I/O, no clock.

Theory. A trap makes its own links: a calendar's month leads to the next month, a page
with a session id to pages with newer ids, a list sorted by price to the same list
sorted by name. How long a chain is proves nothing, for archives are long too. What
tells them apart is *yield*: a fetch that brings nothing which was not on the pages
before it was for nothing. So three things are learnt: which URLs belong together
(`templates.py`: `?sort=`, `?page=` and `?sid=` each by itself, for one may be worth
following), what of a page is new (`novelty.py`), and what each template has earned and
cost (`ledger.py`).

At the end of its credit a template is *cut*: its URLs are skipped, where a page of that
same part leads to them. Where a query is to blame (or a `;jsessionid=`), the key with
the least credit pays. A cut quarters the credit of the part's other keys, since orders
and filters come together; and the URL without its keys takes the place of the one
skipped, so that a site whose links all carry a session id is still read whole (which is
why a key earns 1 and not GAIN: to cut one early is no loss). Where the page's own
template is too new to pay, its part of the site does, from the second folder on:
`/shop/red/small`.

Only what feeds itself pays, and not the first FREE:

- pages found on pages of the same part (or with the same key), a link deeper than the
  template was first met. So whatever an index lists is read, however alike its entries
  are, and however many;
- what is told where a reader comes from: `/login?from=/the/page`;
- another view of the page that leads to it: `?print=1`, `?replytocom=7`, `/reply`. It
  has to say a twentieth more than that page; to know that, a quarter of the pages that
  have views are read;
- redirects of these that lead nowhere new, and pages under another spelling
  (`spelling.py`).

Ordinary pages are not even looked at; a template that yields is looked at more and more
rarely, down to every 32nd page. No more pages of a suspect template are under way at
once than it has credit left; beyond that its host waits for them. So a trap costs some
40 to 150 requests, whatever `per_host` is.

What is learnt is in memory for as many hosts as there is room for, and else in the
store, so that a trap is none the cheaper for hosts that take turns, nor for a run that
is stopped and resumed. After a kill what was in memory begins anew; what was cut stays
cut in any case.

A site that puts a new word at the top of each address (`/amber-birch`, `/cedar-dune/5`)
has no part that leads on to itself; for these there is a rule of its own (`tops.py`).

What this can't see: text made up by the server for each request. Limits are for that
(`limits.max_pages_per_host`, `limits.max_pages_per_template`).
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from crawler.model.config import LimitsConfig
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import Page
from crawler.model.metadata import TRAPS, TRAPS_OUT_OF_MEMORY, KeyValue
from crawler.model.url import host_key, url_id
from crawler.policy.check import FOUND_AND_DUE, Candidate
from crawler.policy.traps.case_variants import NAME as SPELLING
from crawler.policy.traps.name_mazes import NAME as OPENING
from crawler.policy.traps.name_mazes import names_of, top_of
from crawler.policy.traps.scores import (
    CREDIT,
    FREE,
    SAMPLE,
    Cut,
    Flight,
    Ledger,
    Unit,
    suspects,
    views,
)
from crawler.policy.traps.templates import (
    NOWHERE,
    STRANGERS,
    Kinship,
    Shape,
    is_key,
    kinship,
    roles_of,
    shape_of,
    varies,
    without,
)

LISTED = frozenset({"seed", "sitemap", "sitemap_index", "robots_sitemap", "feed"})
"""How URLs are found that somebody has named on purpose."""
NOT_LINKS = LISTED | {"redirect"}
MOST_REMEMBERED = 2**20
"""Of all hosts together, in checksums of some 64 bytes. What is beyond goes to the
store, the hosts first that were left alone for longest, and comes back with them."""
MOST_STRIPPED = 4096

_cuts_of = msgspec.msgpack.Decoder(dict[str, Cut]).decode


class Traps:
    """Learns the traps of one crawl. What is cut is kept in `notes`, for a resume, and
    so is what was learnt of hosts for which there is no room in memory."""

    name = "traps"
    moments = FOUND_AND_DUE

    def __init__(self, config: LimitsConfig, notes: KeyValue) -> None:
        self._config = config
        self._notes = notes
        self._ledgers: OrderedDict[str, Ledger] = OrderedDict()
        self._flights: dict[int, Flight] = {}
        self._weight = 0
        self._stripped: set[str] = set()
        self._parent = "", NOWHERE
        self._page = "", "", ""  # URL, host, and what all URLs of its origin begin with
        self._last = "", Ledger()

    # What is left out

    def check(self, candidate: Candidate) -> Skip | None:
        """Whether the URL leads on from a template that was cut.

        A link to another origin is not looked at before its turn comes, since what was
        learnt of that host may be out of memory; nor is the target of a redirect, whose
        place the URL without its keys then takes. What an earlier crawl found worth a
        request is fetched again.
        """
        url, parent_url = candidate.url, candidate.parent_url
        if parent_url is None or candidate.destination != "page":
            return None
        if candidate.due:
            if candidate.kind in LISTED or candidate.recrawled:
                return None
        else:
            if candidate.kind in NOT_LINKS:
                return None
            if parent_url != self._page[0]:  # the links of a page come in a row
                site = parent_url[: parent_url.index("/", 8) + 1]
                self._page = parent_url, host_key(parent_url), site
            _, host, site = self._page
            ledger = self._ledger(host)
            if not url.startswith(site):
                return None
            if "?" not in url:
                ledger.tops.meet(url, len(site))
            if not ledger.cuts:  # most often
                return None
        found = self._cut(url, parent_url, candidate.depth)
        return None if found is None else Skip("trap", found[1].rule)

    def substitute(self, candidate: Candidate) -> str | None:
        """The URL to fetch in place of one that `check` refuses: the same without the
        keys that were cut."""
        url = candidate.url
        found = self._cut(url, candidate.parent_url, candidate.depth)
        if found is None or not is_key(found[0]):
            return None
        cuts = self._ledger(host_key(url)).cuts
        shape = shape_of(url)
        stripped = url
        for key in shape.keys:
            if key in cuts or shape.part + key in cuts:
                stripped = without(stripped, key)
        if len(self._stripped) >= MOST_STRIPPED:
            self._stripped.clear()
        self._stripped.add(stripped)
        return stripped

    def put_away(self) -> None:
        """Keep what was learnt for a resume."""
        for name, ledger in self._ledgers.items():
            self._put_away(name, ledger)

    # What is asked for, and what comes of it

    def admit(self, lease: Lease) -> bool:
        """Whether the page may be asked for now; `settle` then says that this is over.

        False where others have to come first, since they may end its template.
        """
        if lease.destination != "page" or not self._config.traps:
            return True
        ledger = self._ledger(lease.host)
        shape = shape_of(lease.url, ledger.folders, learn=True)
        units = ledger.units_of(shape, lease.depth)
        flight = self._flight(lease, ledger, shape, units)
        if any(unit.full() for unit in flight.suspects):
            return False
        ledger.changed = True
        ledger.under_way += 1
        ledger.spellings.meet(lease.url)
        if not shape.keys and not ledger.tops.is_open(shape.first):
            ledger.tops.open(shape.first)
            ledger.opening.fetched += 1
        for unit in units:
            unit.fetched += 1
        for unit in flight.suspects:
            unit.under_way += 1
        self._flights[lease.url_id] = flight
        return True

    def _flight(
        self, lease: Lease, ledger: Ledger, shape: Shape, units: list[Unit]
    ) -> Flight:
        """Whether asking for the page may be in vain, and who would pay for it."""
        if lease.kind in LISTED:
            return Flight(ledger, shape, [], "")
        if ledger.spellings.respells(lease.url):
            units.append(ledger.respelt)
            return Flight(ledger, shape, [ledger.respelt], "respelt")
        kin = self._kin(lease.url, shape, lease.parent_url)
        if fed := suspects(units, shape, lease.depth, kin):
            return Flight(ledger, shape, fed, "fed")
        if seen := views(units, kin):
            return Flight(ledger, shape, seen, "view")
        opening = ledger.opening.fetched >= FREE and self._opens(
            ledger, lease.url, shape, lease.parent_url, lease.depth
        )
        return Flight(ledger, shape, [ledger.opening] if opening else [], "opening")

    def _opens(
        self, ledger: Ledger, url: str, shape: Shape, parent_url: str | None, depth: int
    ) -> bool:
        """Whether the URL opens a new name at the top, and is not one that is read in
        any case."""
        if (
            depth <= ledger.opening.entry
            or shape.keys
            or ledger.tops.is_open(shape.first)
        ):
            return False
        if parent_url is None or host_key(parent_url) != host_key(url):
            return False
        return top_of(parent_url.partition("?")[0]) not in ("", shape.first)

    def settle(self, lease: Lease) -> None:
        """The page has come, or has not."""
        flight = self._flights.pop(lease.url_id, None)
        if flight is not None:
            flight.ledger.under_way -= 1
            for unit in flight.suspects:
                unit.under_way -= 1

    def learn(self, lease: Lease, body: bytes, page: Page) -> None:
        """An admitted page has come; `body` is what it says, its content codings
        undone."""
        flight = self._flights.get(lease.url_id)
        if flight is None:
            return
        new = self._look(lease, flight, body, page)
        if flight.suspicion != "respelt":
            flight.ledger.spellings.read(lease.url, page)
        if new:
            for unit in flight.suspects:
                unit.earn()
            self._reward(lease, flight.ledger)
        elif new is not None:
            self._blame(lease.host, flight, SAMPLE if flight.suspicion == "view" else 1)

    def learn_nothing(self, lease: Lease) -> None:
        """An admitted URL leads nowhere but to what was known, or is out of scope."""
        flight = self._flights.get(lease.url_id)
        if flight is not None and flight.suspects:
            self._blame(lease.host, flight, 1)

    def _look(
        self, lease: Lease, flight: Flight, body: bytes, page: Page
    ) -> bool | None:
        """Whether the page says anything new; None where that is not looked at, or not
        known."""
        ledger, url = flight.ledger, lease.url
        if flight.suspicion == "respelt":
            return ledger.spellings.is_another(url, page)
        memory = ledger.memory
        if not flight.suspects:
            if ("?" in url or varies(flight.shape.path)) and ledger.sample(url, page):
                memory.is_another(url, body, page.images)
            return True
        if flight.suspicion == "view":
            read = url_id(lease.parent_url or "") in ledger.read
            return memory.is_another(url, body, page.images) if read else None
        if not sum(unit.due() for unit in flight.suspects):
            return None
        if flight.suspicion == "opening":
            names = names_of(url, page)
            new = memory.is_new(url, body, page.images, bag=False, names=names)
            return True if new else (False if ledger.tops.lead_on(page, url) else None)
        if memory.is_new(url, body, page.images, bag=flight.shape.repeats):
            return True
        if url in self._stripped and ledger.expects_doubles(flight.shape):
            return None  # it says what was read under another address
        return False

    def _reward(self, lease: Lease, ledger: Ledger) -> None:
        parent = lease.parent_url
        if ledger.paid and parent is not None and host_key(parent) == lease.host:
            ledger.reward(shape_of(parent, ledger.folders))

    def _blame(self, host: str, flight: Flight, price: int) -> None:
        """Nothing new: the likeliest cause pays, and what is at its end is cut."""
        ledger, shape, _, _ = flight
        by_name = {unit.name: unit for unit in flight.suspects}
        keys = [key for key in shape.keys if shape.part + key in by_name]
        narrow = wide = None
        if keys:
            key = min(keys, key=lambda key: by_name[shape.part + key].credit)
            narrow, wide = by_name[shape.part + key], by_name.get(key)
        elif not shape.keys:
            narrow, wide = by_name.get(shape.path), by_name.get(f"{shape.part}/...")
        if flight.suspicion == "respelt":
            narrow = ledger.respelt
        elif flight.suspicion == "opening":
            narrow, wide = ledger.opening, None
        ledger.paid = True
        if narrow is not None and narrow.pay(price) and self._end(host, ledger, narrow):
            if keys:
                ledger.distrust(shape.part)
            if (
                wide is not None
            ):  # the cause is found: it need not be looked for any wider
                wide.credit = min(wide.limit, wide.credit + CREDIT)
                wide.cuts += 1
        if wide is not None and (wide.pay(price) or wide.cuts >= 3):
            self._end(host, ledger, wide)

    def _end(self, host: str, ledger: Ledger, unit: Unit) -> bool:
        """Cut the template; False if it is cut already, and this page was still on its
        way."""
        cuts = ledger.cuts
        if unit.name in cuts:
            return False
        rule = f"limits.traps: {unit.name} gave nothing new, after {unit.fetched} pages"
        cuts[unit.name] = Cut(rule, unit.entry)
        self._notes.set(TRAPS, host, msgspec.msgpack.encode(cuts))
        if unit is ledger.opening:  # with it belongs what is open
            self._put_away(host, ledger)
        return True

    def _cut(
        self, url: str, parent_url: str | None, depth: int
    ) -> tuple[str, Cut] | None:
        """The template of the URL that is cut, if it leads on from itself."""
        ledger = self._ledger(host_key(url))
        cuts = ledger.cuts
        if not cuts or parent_url is None:
            return None
        if SPELLING in cuts and ledger.spellings.respells(url):
            return SPELLING, cuts[SPELLING]
        shape = shape_of(url, ledger.folders)
        if OPENING in cuts and self._opens(ledger, url, shape, parent_url, depth):
            return OPENING, cuts[OPENING]
        fed, back, view = self._kin(url, shape, parent_url)
        again = parent_url in self._stripped  # which has no key any more, to be fed by
        for role in roles_of(shape):
            cut = cuts.get(role.name)
            if cut is None or (role.level == "part" and not shape.combined):
                continue
            if role.key in back or (role.key in view and role.level != "part"):
                return role.name, cut
            if (role.key in fed or again) and depth > cut.entry:
                return role.name, cut
        return None

    def _kin(self, url: str, shape: Shape, parent_url: str | None) -> Kinship:
        """How the URL is related to the page that it was found on."""
        if parent_url is None or host_key(parent_url) != host_key(url):
            return STRANGERS
        if (
            parent_url != self._parent[0]
        ):  # most often it is the one that was asked for last
            self._parent = parent_url, shape_of(parent_url)
        return kinship(url, shape, parent_url, self._parent[1])

    def _ledger(self, name: str) -> Ledger:
        if name == self._last[0]:  # most often
            return self._last[1]
        self._weight += self._last[1].weigh()
        ledger = self._ledgers.get(name)
        if ledger is None:
            ledger = self._ledgers[name] = self._recalled(name)
            self._weight += ledger.weigh()
        else:
            self._ledgers.move_to_end(name)
        self._last = name, ledger
        if self._weight > MOST_REMEMBERED:
            self._make_room()
        return ledger

    def _recalled(self, name: str) -> Ledger:
        """What the store has of a host that is not in memory."""
        note = self._notes.get(TRAPS, name) if self._config.traps else None
        cuts = {} if note is None else _cuts_of(note)
        saved = self._notes.get(TRAPS_OUT_OF_MEMORY, name)
        return Ledger(cuts) if saved is None else Ledger.restored(saved, cuts)

    def _make_room(self) -> None:
        """Put the hosts away that were left alone for longest, but for those being
        asked."""
        for _ in range(len(self._ledgers)):
            if self._weight <= MOST_REMEMBERED:
                break
            name, ledger = self._ledgers.popitem(last=False)
            if ledger.under_way or name == self._last[0]:
                self._ledgers[name] = ledger
                continue
            self._weight -= ledger.weighed
            self._put_away(name, ledger)

    def _put_away(self, name: str, ledger: Ledger) -> None:
        if ledger.changed:
            self._notes.set(TRAPS_OUT_OF_MEMORY, name, ledger.saved())
            ledger.changed = False
