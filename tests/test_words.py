"""The vocabulary: one word for one thing, and no former word for it anywhere.

Names of the field (RFCs, WHATWG, Heritrix, Scrapy, gevent, trio) are used as they are,
and without metaphors. Each table below maps a former name to its successor; the test
fails with the place and the successor, so that a name that was renamed does not come
back. Names that mean something else elsewhere are refused in their own room only.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

EVERYWHERE = {
    "Blocking": "Blocker",
    "DEADLY": "poison URL",
    "DOTS": "REDACTED",
    "Discovery": "CandidateBuilder",
    "Ending": "finish",
    "FURTHER": "OVERFLOW",
    "Fallible": "translate_sqlite_errors",
    "Found": "Discovered",
    "Identity": "SessionAuth",
    "Keepsakes": "KeyValue",
    "Kinship": "Relation",
    "Learnt": "RobotsFetch",
    "Pace": "HostThrottle",
    "PROMPT": "FAST",
    "SILENCE": "NO_DIRECTIVES",
    "STRANGERS": "UNRELATED",
    "Said": "RobotsMeta",
    "Tops": "name_mazes",
    "UNPROVEN": "NEW",
    "Visit": "the one pipeline",
    "Visitor": "the one pipeline",
    "WaitingRoom": "idle workers",
    "add_late": "lazy attributes",
    "black_box": "crash_guard",
    "blanked": "redact",
    "census": "count_resources",
    "complains": "report_error",
    "connect_first": "happy_eyeballs",
    "deadly": "poison",
    "explained": "translate_sqlite_errors",
    "give_back": "release",
    "hears": "attach",
    "heed": "apply",
    "heir": "next_waiter",
    "identity_files": "credential_files",
    "judge": "check",
    "judged": "checked",
    "keepsake": "metadata",
    "keepsakes": "metadata",
    "landed": "responded",
    "last_word": "pending_alert",
    "learnt": "fetched",
    "lend": "borrow",
    "lent": "borrowed",
    "let_go": "close_idle",
    "manners": "politeness",
    "objection": "deny_reason",
    "postpone": "defer",
    "power_cut": "recovery",
    "reopening": "requeue",
    "secrecy": "redact",
    "shown_in_passing": "inline_style_images",
    "sow": "add_seeds",
    "stranger": "foreign switch, or unrelated",
    "strangers": "unrelated",
    "take_page": "reserve_page",
    "the_rest": "resume range",
    "traceless": "rollback_on_error",
    "try_out": "check_writable",
    "unasked": "cancel",
    "way_back": "redirect after cookie",
    "write_skips": "flush_skips",
}

IN_A_ROOM = {
    "crawler/engine": {
        "costs": "usage",
        "describe": "record_builder",
        "kept": "stored",
        "revisit": "revalidation",
        "want": "destination",
    },
    "crawler/extract": {
        "said": "decode",
        "want": "destination",
    },
    "crawler/fetch": {
        "ask": "send_query",
        "budget": "deadline",
        "flight": "query",
        "flights": "queries",
        "hope": "attempts",
        "patience": "timeout",
        "pay": "acquire",
        "proofs": "auth headers",
        "race": "happy_eyeballs",
        "refusal": "connection_error",
        "room": "remaining",
    },
    "crawler/frontier": {
        "lane": "slot class",
        "lookup": "StateReader",
        "pace": "throttle",
        "places": "slots, or positions in the queue",
        "why": "detail",
    },
    "crawler/policy": {
        "back": "return_to",
        "learn": "record",
        "fed": "self_linking",
        "flight": "query",
        "gate": "robots cache",
        "ledger": "scores",
        "spelling": "case_variants",
        "tops": "name_mazes",
    },
    "crawler/inspect": {
        "budget": "reached_limits",
    },
    "crawler/cli": {
        "budget": "reached_limits",
        "codes": "reasons, or exit codes",
        "interrupts": "signals",
        "verdict": "exit_status, decision or skip",
        "voice": "verbosity",
    },
    "hub": {
        "Census": "ResourceCounts",
        "Entry": "Registration",
        "Side": "Direction",
        "claims": "handles_error",
        "get_within": "wait",
        "expired": "timeout_error",
        "flight": "query",
        "places": "slots",
        "shells": "cancelled",
        "side": "direction",
        "twin": "cooperative version",
    },
    "tests/site": {
        "elsewhere": "other_hosts",
        "mischief": "garbage",
        "tops": "name_mazes",
    },
}

PREFIXES = re.compile(r"_?(MOST|LONGEST|LEAST|DEEPEST|LARGEST|SHORTEST|SMALLEST)(_|$)")
"""Former prefixes of constants: a bound is MAX_ or MIN_."""

FILES = {
    "black_box": "crash_guard",
    "blocking": "why_waiting",
    "describe": "record_builder",
    "discover": "candidates",
    "elsewhere": "other_hosts",
    "figures": "formatting",
    "gate": "robots_cache",
    "identity_files": "credential_files",
    "interrupts": "signals",
    "keepsakes": "metadata",
    "mapping": "imap",
    "pace": "throttle",
    "places": "slots",
    "power_cut": "recovery",
    "quantities": "units",
    "race": "happy_eyeballs",
    "revisit": "revalidation",
    "rules": "url_filters",
    "secrecy": "redact",
    "spelling": "case_variants",
    "tops": "name_mazes",
    "traceless": "rollback",
    "verdict": "exit_status",
    "voice": "verbosity",
    "waiting": "idle_workers",
    "want": "destination",
}

PHRASES = {
    r"\bkeepsakes?\b": "metadata",
    r"\bwhoever has\b": "a sentence whose subject is the thing described",
    r"\bnobody's double\b": "a plain sentence",
    r"\blent\b": "borrowed",
    r"\btops\.py\b": "name_mazes.py",
    r"\bmanners\b": "politeness",
    r"\bjudg(e|es|ed|ing|ement|ment)\b": "check, match or allow",
    r"\bheirs?\b": "next waiter",
    r"\bheeds?\b": "applies, obeys",
    r"\bblack box\b": "crash guard",
    r"\bwho we are\b": "User-Agent header to send",
    r"\bbudget of one request\b": "total timeout for one request",
    r"\bof it, the longest\b": "maximum time without data",
    r"\bobey it of\b": "which nofollow to obey",
    r"\bof two times, by chance\b": "a range draws each delay at random",
    r"\bits requests and pauses\b": "maximum crawl time per host",
    r"\bheavy fields to put in\b": "optional fields to include",
    r"\bis no duration\b": "is not a valid duration",
    r"\bno seed let us in\b": "every seed URL was refused",
    r"\bnever met: ": "not discovered",
    r"\bthe reader has gone\b": "broken pipe: the reader closed stdout",
    r"\ba mistake of ours\b": "internal error",
    r"\bslow and silent hosts\b": "slow or unresponsive hosts",
    r"\bkills the program three times\b": "crashes the process three times",
    r"\bhost_cooling\b": "backing off",
    r"\brobots_deferred\b": "robots_unavailable",
    r"\blearnt\b|\btaught\b": "shown, recorded, scores",
    r"\bmay (not )?be asked\b|\basked? again\b": "is due, requested again",
    r"\bspellings?\b": "case variant",
    r"\b(nobody|whoever|somebody)\b": "a subject that is named",
    r"\bstrangers?\b": "untrusted, or foreign switch",
    r"\bverdicts?\b": "decision",
    r"\bturns? its back\b": "closes the connection",
}

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "config.example.toml",
    "docs",
    "crawler",
    "hub",
)
FORMER_VALUES = {"crawler/frontier/sqlite/migrate.py": {"robots_deferred"}}
"""Former words that a state of an earlier format holds, by the file that maps them."""

TEXTS = frozenset({".md", ".toml", ".py"})
PYTHON = frozenset({".py"})
THIS = Path(__file__).resolve()


@cache
def files(*parts: str, suffixes: frozenset[str]) -> list[Path]:
    """The files of these names or below these folders that have one of the suffixes."""
    found: list[Path] = []
    for part in parts:
        path = ROOT / part
        below = path.rglob("*") if path.is_dir() else [path]
        found += [file for file in below if file.suffix in suffixes and file.is_file()]
    return [file for file in found if file.resolve() != THIS]


@cache
def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


@cache
def names(file: Path) -> list[tuple[int, str]]:
    """Every identifier in a file of Python, with the first line that has it."""
    first: dict[str, int] = {}
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.NAME:
            first.setdefault(token.string, token.start[0])
    return [(line, name) for name, line in first.items()]


def python_files(*parts: str) -> list[Path]:
    """Files of Python; gevent's names in tests/hub/compat are gevent's."""
    compat = ROOT / "tests" / "hub" / "compat"
    return [
        file for file in files(*parts, suffixes=PYTHON) if compat not in file.parents
    ]


def place(file: Path, line: int) -> str:
    return f"{file.relative_to(ROOT)}:{line}"


def former(table: dict[str, str], *parts: str) -> list[str]:
    """Where names of `table` are used below `parts`, and what they are called now."""
    return [
        f"{place(file, line)}: {name} -> {table[name]}"
        for file in python_files(*parts)
        for line, name in names(file)
        if name in table
    ]


def test_no_former_name_is_used() -> None:
    assert former(EVERYWHERE, "crawler", "hub", "cli.py", "tests") == []


@pytest.mark.parametrize("room", IN_A_ROOM)
def test_no_former_name_is_used_in_its_room(room: str) -> None:
    assert former(IN_A_ROOM[room], room) == []


def test_a_bound_is_called_max_or_min() -> None:
    found = [
        f"{place(file, line)}: {name}"
        for file in python_files("crawler", "hub", "tests")
        for line, name in names(file)
        if PREFIXES.match(name)
    ]
    assert found == []


def test_no_file_has_a_former_name() -> None:
    found = [
        f"{file.relative_to(ROOT)} -> {FILES[stem]}"
        for file in python_files("crawler", "hub", "tests")
        if (stem := file.stem.removeprefix("test_")) in FILES
    ]
    assert found == []


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_has_a_former_phrase(phrase: str) -> None:
    pattern = re.compile(phrase, re.IGNORECASE)
    found = [
        f"{place(file, number)}: {line.strip()[:60]} -> {PHRASES[phrase]}"
        for file in files(*DOCUMENTS, suffixes=TEXTS)
        for number, line in enumerate(lines(file), start=1)
        if (match := pattern.search(line))
        and match[0] not in FORMER_VALUES.get(str(file.relative_to(ROOT)), set())
    ]
    assert found == []


PLURALS = re.compile(
    r"\{(?!MAX_|SHOWN_|number\(MAX_)[^{}]*\}( more| failed| known)? "
    r"(URLs|pages|images|pictures|files|records|links|redirects|items|errors|skips"
    r"|hosts|requests|seeds|shards|machines|processes|crawls|jobs|runs)\b(?!/s)"
)
"""A number and a plural, which is wrong for one: `counted` in `model/units.py`."""
SEVERAL = {
    "crawler/cli/commands/extract.py": "an extraction is of one job",
    "crawler/cli/commands/status.py": "the last of so many runs",
    "crawler/cli/plan.py": "only of several jobs",
    "crawler/cli/running.py": "one has a name",
    "crawler/engine/document_plugins.py": "more than a limit",
    "crawler/engine/extraction/opening.py": "one has a sentence of its own",
    "crawler/fleet/shard_groups.py": "several have died",
    "crawler/inspect/audit/relations.py": "one is no problem",
    "crawler/policy/traps/score_table.py": "one page is no trap",
}
"""Where the number is never 1."""


def test_one_thing_is_no_plural() -> None:
    found = {
        place(file, number): line.strip()
        for file in python_files("crawler")
        if str(file.relative_to(ROOT)) not in SEVERAL
        for number, line in enumerate(lines(file), start=1)
        if PLURALS.search(line)
    }
    assert found == {}


@cache
def docstrings(file: Path) -> list[tuple[int, str]]:
    """(line, text) of every docstring of a file of Python, those of attributes too."""
    return [
        (node.lineno, node.value.value)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def test_no_docstring_is_a_fragment() -> None:
    """A docstring that opens with "Of" or "Who" has no subject."""
    found = [
        f"{place(file, line)}: {text[:50]!r}"
        for file in python_files("crawler", "hub", "tests")
        for line, text in docstrings(file)
        if re.match(r"\s*(Of|Who|Whoever|Whatever)\b", text)
    ]
    assert found == []


def test_a_summary_is_not_broken_over_two_lines() -> None:
    """A docstring is one line, or a summary line, a blank line and the detail."""
    found = [
        f"{place(file, line)}: {text[:50]!r}"
        for file in python_files("crawler", "hub", "tests")
        for line, text in docstrings(file)
        if len(text.splitlines()) > 1 and text.splitlines()[1].strip()
    ]
    assert found == []
