"""session_auth: which origins are trusted, and the origin of a page."""

from __future__ import annotations

import pytest

from crawler.fetch.auth.session_auth import page_origin, trusted_origins


def test_trusted_origins() -> None:
    named = [
        "http://a.example",
        "http://b.example:81",
        "https://c.example",
        "http://[::1]",
    ]
    assert trusted_origins(named) == {*named, "https://a.example", "https://[::1]"}


@pytest.mark.parametrize(
    ("page", "origin"),
    [("http://a.example:81/x", "http://a.example"), ("https://[::1]/", "https://::1"),
     ("file:///etc/passwd", ""), ("nonsense", "")],
)  # fmt: skip
def test_the_origin_of_a_page(page: str, origin: str) -> None:
    assert page_origin(page) == origin
