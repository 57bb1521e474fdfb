"""Settings of a login: what is refused before anything is requested."""

from __future__ import annotations

import pytest

from crawler.model.errors import UsageError
from crawler.model.http_config import LoginConfig
from crawler.settings.load import from_flag, load
from crawler.settings.secrets import hidden, revealed_login

FORM = ("login", "form")


@pytest.mark.parametrize("name", ["pass", "Password", "user[pwd]", "csrf_token"])
def test_a_literal_password_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UsageError, match="looks like a password") as caught:
        from_flag(FORM, {"user": "ann", name: "s3cr3t"}, "--form")
    assert "s3cr3t" not in str(caught.value)
    for reference in ("env:PASS", "file:~/pass"):
        assert from_flag(FORM, {name: reference}, "--form").value == {name: reference}


def test_a_file_of_settings_has_the_same_rule() -> None:
    text = '[login]\nurl = "https://a.example/"\nform = { user = "a", pass = "b" }\n'
    with pytest.raises(UsageError, match=r"c.toml:3: .*looks like a password"):
        load(("c.toml", text), {}, [])


def test_half_a_login_is_none() -> None:
    with pytest.raises(UsageError, match="--login needs the fields"):
        revealed_login(LoginConfig("https://a.example/"), {})
    with pytest.raises(UsageError, match="--form needs --login"):
        revealed_login(LoginConfig(form={"user": "a"}), {})
    with pytest.raises(UsageError, match="PASS is not set"):
        revealed_login(LoginConfig("https://a.example/", {"p": "env:PASS"}), {})
    login = LoginConfig("https://a.example/", {"p": "env:PASS", "u": "a"})
    assert revealed_login(login, {"PASS": "x"}).form == {"p": "x", "u": "a"}


def test_what_is_shown_of_it() -> None:
    shown = hidden(FORM, {"user": "ann", "pass": "env:PASS"})
    assert shown == {"user": "•••", "pass": "env:PASS"}


def test_a_pattern_and_a_url_that_are_none() -> None:
    with pytest.raises(UsageError, match="--logout-pattern: '\\(' is not a valid"):
        from_flag(("login", "logout_pattern"), "(", "--logout-pattern")
    with pytest.raises(UsageError, match="--login: "):
        from_flag(("login", "url"), "http://", "--login")
    assert from_flag(("login", "logout_pattern"), "none", "x").value is None
