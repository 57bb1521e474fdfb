"""forms: which fields a form has, and what a browser would send."""

from __future__ import annotations

import pytest

from crawler.extract.html.forms import MAX_CONTROLS, find_forms
from crawler.model.forms import Control, Form

URL = "https://a.example/in/login?next=1"


def forms(html: str, charset: str | None = "utf-8") -> tuple[Form, ...]:
    return find_forms(html.encode(charset or "latin-1"), charset, URL)


def one(html: str) -> Form:
    (form,) = forms(html)
    return form


def sent(html: str) -> list[tuple[str, str]]:
    """What is sent if the user changes nothing."""
    controls = one(f"<form>{html}</form>").controls
    return [(control.name, control.value) for control in controls if control.sent]


def test_a_form() -> None:
    form = one(
        "<!doctype html><title><form></title><!-- <form> --><FORM ACTION='../go' "
        'METHOD=Post ENCTYPE="multipart/form-data"><INPUT NAME=u><input type=PASSWORD '
        "name=p></FORM><input name=outside>"
    )
    controls = (Control("u", "text"), Control("p", "password"))
    assert form == Form(
        "https://a.example/go", "post", "multipart/form-data", "utf-8", controls
    )
    assert form.has_password()
    assert form.has(frozenset({"u", "p"}))
    assert not form.has(frozenset({"u", "x"}))


@pytest.mark.parametrize(
    ("html", "fields"),
    [
        ('<input type=hidden name=t value="a&amp;b&lt;">', [("t", "a&b<")]),
        ("<input type=checkbox name=a><input type=checkbox name=b checked>"
         "<input type=radio name=c value=1><input type=radio name=c value=2 checked>",
         [("b", "on"), ("c", "2")]),
        ("<input type=file name=f><input type=reset name=r><input type=button name=b>"
         "<input value=nameless><input name=''><input name=d disabled>", []),
        ("<button type=button name=x>x</button><button name=y value=1>y</button>"
         "<input type=submit name=z value=2>", [("y", "1")]),
        ("<input type=submit value=nameless><button name=y value=1>", []),
        ("<textarea name=t>\n a &amp; <b>\n</textarea>", [("t", " a & <b>\n")]),
        ("<select name=s><option>One  of</option><option value=2>two</select>",
         [("s", "One of")]),
        ("<select name=s><option disabled>x<option value=2>two<option selected>3 &lt;"
         "</select>", [("s", "3 <")]),
        ("<select name=s multiple><option selected>a<option>b<option selected>c"
         "</select><datalist><option selected>d</datalist>", [("s", "a"), ("s", "c")]),
        ("<select name=s><optgroup disabled><option>x</optgroup><option>y</select>"
         "<select name=m size=3><option>x<option>y</select>", [("s", "y")]),
        ("<input name=a value='1&#10;2'><input name=b type=hidden value='1&#10;2'>"
         "<input name=c type=email value=' a@b.example '>",
         [("a", "12"), ("b", "1\n2"), ("c", "a@b.example")]),
        ("<select name=s></select><select name=m multiple><option>a</select>", []),
        ("<fieldset disabled><fieldset><input name=a></fieldset><input name=b>"
         "</fieldset><input name=c>", [("c", "")]),
        ("<template><input name=a></template><input name=b>", [("b", "")]),
        ("<script>'<input name=a>'</script><noscript><input name=b></noscript>",
         [("b", "")]),
    ],
)  # fmt: skip
def test_what_is_sent(html: str, fields: list[tuple[str, str]]) -> None:
    assert sent(html) == fields


def test_whose_controls_they_are() -> None:
    """A form in a form is ignored, and `form` names another one."""
    first, second = forms(
        "<input name=z form=b><form id=a><input name=1><form id=x><input name=2></form>"
        "<input name=3></form><form id=b><input name=4><input name=5 form=a>"
        "<input name=6 form=none>"
    )
    assert [control.name for control in first.controls] == ["1", "2", "5"]
    assert [control.name for control in second.controls] == ["z", "4"]


@pytest.mark.parametrize(
    ("html", "action", "method"),
    [
        ("<form>", URL, "get"),
        ("<form action=''>", URL, "get"),
        ("<base href='//b.example/x/'><base href=/y/><form action=go method=post>",
         "https://b.example/x/go", "post"),
        ("<form action=a method=post><button formaction=b formmethod=get>",
         "https://a.example/in/b", "get"),
        ("<form action='javascript:x()' method=post>", "", "post"),
    ],
)  # fmt: skip
def test_where_it_is_sent(html: str, action: str, method: str) -> None:
    form = one(html)
    assert (form.action, form.method) == (action, method)


def test_the_encoding_of_what_is_sent() -> None:
    assert one("<form accept-charset='nonsense, EUC-JP utf-8'>").charset == "euc-jp"
    (cyrillic,) = forms("<form><input name='имя'>", "windows-1251")
    assert (cyrillic.charset, cyrillic.controls[0].name) == ("windows-1251", "имя")
    assert forms("<form>", "utf-16")[0].charset == "utf-8"


def test_a_page_of_controls_is_bounded() -> None:
    hostile = "<form>" + "<input name=a>" * (MAX_CONTROLS + 10)
    assert len(one(hostile).controls) == MAX_CONTROLS
    assert len(one("<form><input name=a value='" + "x" * 10**6).controls) == 0
