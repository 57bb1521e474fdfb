"""netrc: parsing, and errors that show no password."""

from __future__ import annotations

import pytest

from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.auth.netrc import read_netrc
from crawler.model.errors import UsageError

NETRC = """
# it's a comment
machine a.example login ann password "two words"
machine B.example
    login bob
    password p#1
    account ignored
machine a.example login second password x
macdef init
machine evil login nobody
put it

machine c.example password only
default login anonymous password guest
"""


def test_a_netrc() -> None:
    assert read_netrc(NETRC, "netrc") == {
        "a.example": Credentials("ann", "two words"),
        "b.example": Credentials("bob", "p#1"),
        "": Credentials("anonymous", "guest"),
    }


@pytest.mark.parametrize(
    "text", ["s3cr3t", "\nlogin s3cr3t", "machine a\nlogin 's3cr3t", "x y"]
)
def test_an_error_in_a_netrc_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match=r"^netrc:\d: ") as caught:
        read_netrc(text, "netrc")
    assert "s3cr3t" not in str(caught.value)
