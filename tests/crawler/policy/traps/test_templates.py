"""What URLs have in common, and how one is related to the page that it was found on."""

from __future__ import annotations

import pytest

from crawler.policy.traps.folders import Folders
from crawler.policy.traps.relation import relation
from crawler.policy.traps.templates import roles_of, shape_of, without

HOST = "http://a.example"


@pytest.mark.parametrize(
    ("path", "template", "keys"),
    [
        ("/", "/", ()),
        ("/calendar/2024/5", "/calendar/#/#", ()),
        ("/Calendar/2024/5", "/calendar/#/#", ()),
        ("/a/b/a/b/a", "/a/b~", ()),
        ("/x?sort=1&page=2&sort=3", "/x", ("?sort=", "?page=")),
        ("/x?f1=a&f2=b", "/x", ("?#=",)),
        ("/x;jsessionid=8F2?q=1", "/x", ("?q=", ";jsessionid=")),
        ("/(S(lit3py55t21z5v55vlm25s55))/item/5", "/item/#", (";(S())=",)),
        ("/(not-a-session)/5", "/(not-a-session)/#", ()),
        ("/tags/red+small", "/tags/+", ()),
        ("/tags/red,small,4", "/tags/+", ()),
    ],
)
def test_templates(path: str, template: str, keys: tuple[str, ...]) -> None:
    shape = shape_of(HOST + path, Folders(), record=True)
    assert (shape.path, shape.keys) == (template, keys)


def test_a_folder_with_many_names_stands_for_any() -> None:
    folders = Folders()
    for n in range(33):
        name = "".join(chr(97 + int(digit)) for digit in str(n))
        assert (
            shape_of(f"{HOST}/wiki/{name}", folders, record=True).path
            == f"/wiki/{name}"
        )
    assert (
        shape_of(f"{HOST}/wiki/never-seen/talk", folders, record=False).path
        == "/wiki/*/talk"
    )


def test_at_the_top_a_site_has_more_folders_than_that() -> None:
    folders = Folders()
    words = [one + other for one in "abcdefghijkl" for other in "abcdefghijkl"]
    for name in words[:128]:
        assert shape_of(f"{HOST}/{name}/5", folders, record=True).path == f"/{name}/#"
    for name in words[:32]:
        assert shape_of(f"{HOST}/{name}", folders, record=True).path == f"/{name}"
    assert shape_of(f"{HOST}/zz", folders, record=True).path == "/zz"
    assert shape_of(f"{HOST}/aa", folders, record=True).path == "/*"
    assert shape_of(f"{HOST}/aa/5", folders, record=True).path == "/aa/#"
    assert shape_of(f"{HOST}/aa?id=5", folders, record=True).path == "/aa"
    assert shape_of(f"{HOST}/zz/5", folders, record=True).path == "/zz/#"
    assert shape_of(f"{HOST}/aa/5", folders, record=True).path == "/*/#"


@pytest.mark.parametrize(
    ("url", "key", "left"),
    [
        ("/x?sid=1&a=2", "?sid=", "/x?a=2"),
        ("/x?sid=1", "?sid=", "/x"),
        ("/x;jsessionid=8F2?q=1", ";jsessionid=", "/x?q=1"),
        ("/x;JSESSIONID=8F2/y", ";jsessionid=", "/x/y"),
        ("/(S(lit3py55))/item/5?a=1", ";(S())=", "/item/5?a=1"),
        ("/x?other=1", "?sid=", "/x?other=1"),
    ],
)
def test_a_key_is_taken_off(url: str, key: str, left: str) -> None:
    assert without(HOST + url, key) == HOST + left


@pytest.mark.parametrize(
    ("url", "parent", "self_linking", "return_to", "view"),
    [
        ("/month/2", "/month/1", "/", "", ""),
        ("/month/2", "/news", "", "", ""),
        ("/x?sid=2", "/y?sid=1", "?sid=", "", ""),
        ("/x?sid=2", "/x?sid=1", "/ ?sid=", "", ""),
        ("/login?from=%2Fitem%2F5", "/item/5", "", "?from=", ""),
        ("/login?from=/", "/", "", "", ""),
        ("/post/5?print=1", "/post/5", "/", "", "?print="),
        ("/post/5?replytocom=8", "/post/5", "/", "", "?replytocom="),
        ("/thread?t=5&print=1", "/thread?t=5", "/ ?t=", "", "?print="),
        ("/thread?t=6", "/thread?t=5", "/ ?t=", "", ""),
        ("/list?id=7", "/list", "/", "", ""),  # which tells entries apart
        ("/list?id=7", "/list?page=2", "/ ?page=", "", ""),
        ("/post/5/reply", "/post/5", "/", "", "/"),
        ("/post/5/reply/", "/post/5/", "/", "", "/"),
        ("/post/5/7", "/post/5", "/", "", ""),
        ("/posts/5", "/posts", "/", "", ""),
        ("/post/55", "/post/5", "/", "", ""),
    ],
)
def test_relation(
    url: str, parent: str, self_linking: str, return_to: str, view: str
) -> None:
    shapes = [shape_of(HOST + one) for one in (url, parent)]
    found = relation(HOST + url, shapes[0], HOST + parent, shapes[1])
    assert sorted(found.self_linking) == self_linking.split()
    assert (list(found.return_to), list(found.alternate_view)) == (
        return_to.split(),
        view.split(),
    )


def test_a_url_counts_for_its_path_its_part_and_its_keys() -> None:
    roles = roles_of(shape_of(f"{HOST}/shop/red/5?sort=1", Folders(), record=True))
    assert [role.name for role in roles] == [
        "/shop/red/#",
        "/shop/...",
        "/shop?sort=",
        "?sort=",
    ]
