"""jar: order, replacement, bounds (RFC 6265bis sections 5.7 and 5.8.3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch.cookies.jar import MAX_FIELD, CookieJar
from tests.helpers.cookies import NOW, jar_of, request, sent


def test_longer_paths_come_first_and_then_older_cookies() -> None:
    jar = CookieJar()
    for number, value in enumerate(
        ["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/", "d=4; Path=/x"]
    ):
        jar.receive([value], request("https://a.example/x/"), NOW + number)
    assert sent(jar, "https://a.example/x/", 10) == "b=2; d=4; a=1; c=3"


def test_a_new_value_keeps_the_old_place() -> None:
    jar = jar_of("a=1", "b=2")
    jar.receive(["a=3"], request("https://a.example/"), NOW + 10)
    assert sent(jar, "https://a.example/", 10) == "a=3; b=2"


def test_name_domain_and_path_identify_a_cookie() -> None:
    jar = jar_of("a=1", "a=2; Path=/x", "a=3; Domain=a.example", "A=4")
    assert len(jar) == 4
    assert sent(jar, "https://a.example/x") == "a=2; a=1; a=3; A=4"


def test_an_expired_cookie_removes_the_stored_one() -> None:
    jar = jar_of("a=1", "b=2", "a=x; Max-Age=0")
    assert sent(jar, "https://a.example/") == "b=2"


def test_every_change_is_notified_once() -> None:
    changes: list[tuple[str, list[str]]] = []
    jar = CookieJar(
        lambda domain, cookies: changes.append((domain, [c.value for c in cookies]))
    )

    def receive(*values: str) -> list[tuple[str, list[str]]]:
        changes.clear()
        jar.receive(values, request("https://x.a.example/"), NOW)
        return changes

    assert receive("a=1", "b=2; Domain=a.example") == [("a.example", ["1", "2"])]
    assert receive("a=1") == []
    assert receive("a=3") == [("a.example", ["3", "2"])]
    assert receive("c=x; Max-Age=0") == []
    assert receive("a=; Max-Age=0", "b=; Domain=a.example; Max-Age=0") == [
        ("a.example", [])
    ]


def test_the_least_recently_used_cookie_of_a_domain_is_evicted_first() -> None:
    jar = CookieJar(per_domain=3)
    jar.receive(
        ["a=1; Path=/a", "b=2; Path=/b", "c=3; Path=/c"],
        request("https://a.example/"),
        NOW,
    )
    assert sent(jar, "https://a.example/a", 1) == "a=1"
    jar.receive(["d=4; Path=/d"], request("https://a.example/"), NOW + 2)
    assert sorted(cookie.name for cookie in jar) == ["a", "c", "d"]


def test_expired_cookies_are_dropped_before_others_are_evicted() -> None:
    jar = CookieJar(per_domain=2)
    jar.receive(["a=1", "b=2; Max-Age=5"], request("https://a.example/"), NOW)
    jar.receive(["c=3"], request("https://a.example/"), NOW + 6)
    assert sorted(cookie.name for cookie in jar) == ["a", "c"]


def test_the_least_recently_used_domain_is_evicted_first() -> None:
    jar = CookieJar(total=3)
    for host in "abc":
        jar.receive(["x=1"], request(f"https://{host}.example/"), NOW)
    assert sent(jar, "https://a.example/") == "x=1"
    jar.receive(["x=1"], request("https://d.example/"), NOW)
    assert sorted(cookie.domain for cookie in jar) == [
        "a.example",
        "c.example",
        "d.example",
    ]
    assert len(jar) == 3


def test_a_flood_of_cookies_is_bounded() -> None:
    jar = CookieJar()
    for host in range(30):
        values = [f"c{number}=x" for number in range(5000)]
        jar.receive(values, request(f"https://h{host}.example/"), NOW)
    assert len(jar) == 3000


def names(value: str | None) -> list[str]:
    return [pair.partition("=")[0] for pair in (value or "").split("; ")]


def test_the_field_holds_the_newest_cookies_that_fit() -> None:
    jar = CookieJar()
    for number in range(100):
        value = [f"c{number}={'x' * 200}; Path=/"]
        jar.receive(value, request("https://a.example/"), NOW + number)
    value = sent(jar, "https://a.example/", 200)
    assert value is not None
    assert MAX_FIELD - 210 < len("Cookie: " + value) <= MAX_FIELD
    fitting = len(names(value))
    assert names(value) == [f"c{number}" for number in range(100 - fitting, 100)]


def test_specific_cookies_come_before_newer_ones_and_small_ones_fill_the_rest() -> None:
    jar = jar_of(
        "specific=" + "s" * 4000 + "; Path=/x",
        "small=1; Path=/",
        "old=" + "o" * 4080 + "; Path=/",
        "new=" + "n" * 4080 + "; Path=/",
    )
    assert names(sent(jar, "https://a.example/x/")) == ["specific", "small", "new"]


def test_cookies_of_exactly_the_limit_are_all_sent() -> None:
    first = "a=" + "x" * 4090
    second = "b=" + "y" * (MAX_FIELD - len("Cookie: ") - len(first) - len("; b="))
    jar = jar_of(first, second)
    assert sent(jar, "https://a.example/") == f"{first}; {second}"
    jar = jar_of(first, second + "y")
    assert sent(jar, "https://a.example/") == f"{second}y"


def test_cookies_that_did_not_fit_are_the_first_to_be_evicted() -> None:
    jar = CookieJar(per_domain=3)
    values = [f"{name}={'x' * 3000}" for name in "abc"]
    jar.receive(values, request("https://a.example/"), NOW)
    assert names(sent(jar, "https://a.example/", 1)) == ["b", "c"]
    jar.receive(["d=1"], request("https://a.example/"), NOW + 2)
    assert [cookie.name for cookie in jar] == ["b", "c", "d"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.text("ab=; _-/.\t\xe9", max_size=12)
    | st.sampled_from(
        ["a=1", "a=2; Max-Age=0", "b=; Path=/x", "c=3; Domain=a.example"]
    ),
    st.sampled_from(["https://a.example/", "http://x.a.example/x/y", "http://127.0.0.1/"]),
    st.integers(0, 3),
)))  # fmt: skip
def test_the_jar_stays_consistent_under_any_sequence(
    events: list[tuple[str, str, int]],
) -> None:
    jar = CookieJar(per_domain=3, total=4)
    now = NOW
    for value, url, seconds in events:
        now += seconds
        jar.receive([value], request(url), now)
        header = jar.header(request(url), now)
        assert header is None or "\n" not in header
        kept = list(jar)
        assert len(kept) == len(jar) <= 4
        assert len({(c.name, c.domain, c.host_only, c.path) for c in kept}) == len(kept)
