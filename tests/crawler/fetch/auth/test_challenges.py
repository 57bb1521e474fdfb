"""challenges: their forms, and the headers that answer them."""

from __future__ import annotations

import hashlib
import re

import pytest

from crawler.fetch.auth.challenges import Authenticator, Challenge, parse_challenges
from crawler.fetch.auth.credentials import Credentials, basic

CHALLENGES: list[tuple[list[str], list[Challenge]]] = [
    (["Basic"], [Challenge("basic")]),
    (['Basic realm="a"'], [Challenge("basic", {"realm": "a"})]),
    (["BASIC Realm=a"], [Challenge("basic", {"realm": "a"})]),
    (['Basic realm = "a" , charset="UTF-8"'],
     [Challenge("basic", {"realm": "a", "charset": "UTF-8"})]),
    (['Basic realm="a, b=c"'], [Challenge("basic", {"realm": "a, b=c"})]),
    ([r'Basic realm="say \"hi\" \\o/"'],
     [Challenge("basic", {"realm": 'say "hi" \\o/'})]),
    (['Basic realm="a", Digest realm="b", nonce="n"'],
     [Challenge("basic", {"realm": "a"}),
      Challenge("digest", {"realm": "b", "nonce": "n"})]),
    (["Negotiate", 'Basic realm="a"'],
     [Challenge("negotiate"), Challenge("basic", {"realm": "a"})]),
    (["Negotiate a87421000492aa874209af8bc028==, Basic"],
     [Challenge("negotiate"), Challenge("basic")]),
    (['Newauth realm="apps", type=1, title="Login to \\"apps\\"", '
      'Basic realm="simple"'],
     [Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
      Challenge("basic", {"realm": "simple"})]),
    (['Basic realm="a", realm="b"'], [Challenge("basic", {"realm": "a"})]),
    ([" , ,Basic , "], [Challenge("basic")]),
    (['Basic realm="unclosed'], [Challenge("basic")]),
    (['realm="a"'], []),
    (["", "???"], []),
    (["Basic " * 100], [Challenge("basic")] * 16),
]  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), CHALLENGES)
def test_challenges(values: list[str], expected: list[Challenge]) -> None:
    assert parse_challenges(values) == expected


def login(user: str = "Mufasa", password: str = "Circle of Life") -> Authenticator:
    return Authenticator(
        Credentials(user, password),
        lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    mufasa = login()
    assert mufasa.handle_challenge([RFC_7616 % algorithm], None)
    authorization = mufasa.authorization("GET", "/dir/index.html") or ""
    assert f'response="{response}"' in authorization
    assert 'username="Mufasa"' in authorization
    assert "nc=00000001" in authorization
    assert f"algorithm={algorithm}" in authorization
    assert "Circle" not in authorization
    assert "nc=00000002" in (mufasa.authorization("GET", "/") or "")


@pytest.mark.parametrize(
    ("algorithm", "hash_name"), [("SHA-512", "sha512"), ("SHA-512-256", "sha512_256")]
)
def test_the_longer_hashes(algorithm: str, hash_name: str) -> None:
    def digest(*parts: str) -> str:
        return hashlib.new(hash_name, ":".join(parts).encode()).hexdigest()

    mufasa = login()
    assert mufasa.handle_challenge([RFC_7616 % algorithm], None)
    found = dict(
        re.findall(r'(\w+)="?([^",]*)', mufasa.authorization("GET", "/dir") or "")
    )
    secret = digest("Mufasa", "http-auth@example.org", "Circle of Life")
    middle = (found["nonce"], found["nc"], found["cnonce"], "auth")
    assert found["algorithm"] == algorithm
    assert found["response"] == digest(secret, *middle, digest("GET", "/dir"))


@pytest.mark.parametrize(
    ("algorithms", "taken"),
    [
        (["MD5", "SHA-256"], "SHA-256"),
        (["SHA-512", "MD5", "SHA-512-256", "SHA-256"], "SHA-512"),
    ],
)
def test_the_strongest_challenge_is_answered(algorithms: list[str], taken: str) -> None:
    offers = ["Basic realm=a", *(RFC_7616 % algorithm for algorithm in algorithms)]
    someone = login()
    assert someone.handle_challenge(offers, None)
    assert f"algorithm={taken}," in (someone.authorization("GET", "/") or "")


@pytest.mark.parametrize(
    "offer",
    ["Negotiate", "Digest realm=a", 'Digest realm=a, nonce=b, qop="auth-int"',
     "Digest realm=a, nonce=b, algorithm=MD2", "Bearer realm=a", ""],
)  # fmt: skip
def test_unknown_challenges_are_not_answered(offer: str) -> None:
    someone = login()
    assert not someone.handle_challenge([offer], None)
    assert someone.authorization("GET", "/") is None


def test_credentials_wait_for_a_challenge_and_wrong_ones_are_not_repeated() -> None:
    someone = login()
    assert someone.authorization("GET", "/") is None
    assert someone.handle_challenge(["Basic realm=a"], None)
    authorization = someone.authorization("GET", "/")
    assert not someone.handle_challenge(["Basic realm=a"], authorization)
    assert not someone.handle_challenge(["Basic realm=a, stale=true"], authorization)
    assert not someone.handle_challenge([RFC_7616 % "MD5"], authorization)
    assert someone.handle_challenge([RFC_7616 % "MD5" + ", stale=TRUE"], authorization)


def test_names_beyond_ascii() -> None:
    assert (
        basic(Credentials("Aladdin", "open sesame"))
        == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )
    # From RFC 7617 section 2.1.
    assert basic(Credentials("test", "123£")) == "Basic dGVzdDoxMjPCow=="
    someone = login("J\xe4s\xf8n")
    someone.handle_challenge([RFC_7616 % "MD5"], None)
    assert "J\xe4s\xf8n".encode() in (someone.authorization("GET", "/") or "").encode(
        "latin-1"
    )


def test_a_quote_in_a_name_is_escaped() -> None:
    someone = login('x", realm="y')
    someone.handle_challenge([RFC_7616 % "MD5"], None)
    assert r'username="x\", realm=\"y"' in (someone.authorization("GET", "/") or "")


def test_a_password_is_not_shown() -> None:
    assert "s3cr3t" not in repr(Credentials("user", "s3cr3t"))
