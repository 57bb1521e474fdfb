"""crawler/model/placeholders.py: which links a template has left behind."""

from __future__ import annotations

import pytest

from crawler.model.placeholders import has_placeholder
from crawler.model.url import Base, join, join_header
from tests.helpers.cpu import cpu_within


@pytest.mark.parametrize(
    "href",
    [
        "{{image}}", "/a/{{ x.y }}.png", "/a?u={{url}}", "{{", "http://h/{{x}}",
        "${x}", "/i/${a.b}.png", "<%= x %>", "<%x%>", "/a/<% y %>", "<?php echo 1 ?>",
        "<?= a ?>", "{% url 'x' %}", "{%url 'x'%}", "{%- x -%}", "[[image]]",
        "/a/[[ image.url ]]", "%%CLICK_URL%%",
        "%7B%7Bimage%7D%7D", "%7b%7bimage%7d%7d", "{%7Bx}", "$%7Bx%7D", "%24%7Bx%7D",
        "%3C%25=x%25%3E", "%3c%= x", "%3C%3F=x", "%7B%25 x", "%5B%5Bimage%5D%5D",
    ],
)  # fmt: skip
def test_a_placeholder_is_no_url(href: str) -> None:
    assert has_placeholder(href)
    assert Base("http://h/d/p").join(href) is None


@pytest.mark.parametrize(
    "href",
    [
        "/a?f={%22a%22:1}", '?filter={"a":{"b":1}}', "?x=%7B%22a%22:%7B%22b%22:1%7D%7D",
        "/a?c=[[1,2],[3,4]]", "?a=%5B%5B1%5D%5D", "/a[0]", "?a[]=1&b[x]=2",
        "/a/{8D4E-11}/x", "/a/{b}", "/100%", "/100%25", "/50%%", "?q=100%%20x",
        "/a%20b", "/$price", "/%7Eme", "?q=%3Cb%3E", "/a?x=<b>", "?q=%3C%3Fxml",
    ],
)  # fmt: skip
def test_an_unusual_url_is_one(href: str) -> None:
    assert not has_placeholder(href)
    assert Base("http://h/d/p").join(href) is not None


def test_a_server_that_redirects_to_braces_means_it() -> None:
    for joined in (
        join("http://h/d/", "/{{x}}?a#b"),
        join_header("http://h/d/", "/{{x}}?a"),
    ):
        assert joined == "http://h/%7B%7Bx%7D%7D?a"
    assert Base("http://h/d/").join("/{{x}}") is None


@pytest.mark.parametrize("piece", ["{", "[[", "[[a", "%%a", "[[ a", "%7B", "<%20"])
def test_a_long_link_costs_linear_time(piece: str) -> None:
    with cpu_within(0.1):
        has_placeholder(piece * (8192 // len(piece)))
