"""Basic and Digest authentication (RFC 9110 section 11, RFC 7617, RFC 7616). No I/O.

Nothing is sent before the server asks for it, because a password sent without need is a
password exposed, and a server that supports Digest would learn it from a Basic header.
The strongest of the offered challenges is answered; unknown schemes are ignored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from crawler.fetch.auth.credentials import Credentials, basic

MAX_CHALLENGES = 16

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))[ \t]*(?=,|$)'
)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,|$))")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_GAP = re.compile(r"[ \t,]*")

# The strongest first (RFC 7616 section 3.3). Most servers still use MD5; some use
# SHA-512, which is in no standard.
_HASHES: dict[str, Callable[[bytes], Any]] = {
    "sha-512": hashlib.sha512,
    "sha-512-256": lambda data: hashlib.new("sha512_256", data),
    "sha-256": hashlib.sha256,
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False),
}


class Challenge(Struct, frozen=True):
    """A challenge of a server: scheme and parameters, their names in lower case."""

    scheme: str
    parameters: dict[str, str] = {}


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges in WWW-Authenticate or Proxy-Authenticate fields.

    Stops in each field at the first syntax error.

    >>> parse_challenges(['Basic realm="a, b", Negotiate'])[1].scheme
    'negotiate'
    """
    found: list[Challenge] = []
    for value in values:
        position = 0
        while position < len(value) and len(found) < MAX_CHALLENGES:
            position = _GAP.match(value, position).end()  # type: ignore[union-attr]
            match = _PARAMETER.match(value, position)
            if match and found:
                text = (
                    match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
                )
                found[-1].parameters.setdefault(match[1].lower(), text)
            elif match := _SCHEME.match(value, position):
                found.append(Challenge(match[1].lower(), {}))
            else:
                match = _TOKEN68.match(value, position)
            if match is None:
                break
            position = match.end()
    return found


class Authenticator:
    """Answers the challenges of one server with one user's credentials.

    `nonce` returns a random string: the client nonce of each Digest header.
    """

    def __init__(self, credentials: Credentials, nonce: Callable[[], str]) -> None:
        self._credentials = credentials
        self._nonce = nonce
        self._challenge: Challenge | None = None
        self._count = 0

    def handle_challenge(self, values: Iterable[str], refused: str | None) -> bool:
        """Process the challenges of a 401; return whether to send the request again.

        `values`: the WWW-Authenticate fields. `refused`: the Authorization header that
        was sent, if there was one. Wrong credentials are not sent twice; a Digest
        header is computed anew if the server says that only its nonce was stale.
        """
        for challenge in _strongest_first(parse_challenges(values)):
            stale = challenge.parameters.get("stale", "").lower() == "true"
            if refused is not None and not (stale and challenge.scheme == "digest"):
                return False
            self._challenge, self._count = challenge, 0
            return True
        return False

    def authorization(self, method: str, target: str) -> str | None:
        """The value of Authorization; None before the server has sent a challenge.

        `target`: the request target.
        """
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return basic(self._credentials)
        self._count += 1
        return _digest(
            self._challenge.parameters,
            self._credentials,
            method,
            target,
            self._count,
            self._nonce(),
        )


def _strongest_first(challenges: list[Challenge]) -> list[Challenge]:
    ranks = {name: rank for rank, name in enumerate(_HASHES)}
    usable = [
        (ranks[_algorithm(challenge.parameters)[0]], challenge)
        for challenge in challenges
        if challenge.scheme == "digest" and _is_usable(challenge.parameters)
    ]
    usable += [
        (99, challenge) for challenge in challenges if challenge.scheme == "basic"
    ]
    return [challenge for _, challenge in sorted(usable, key=lambda pair: pair[0])]


def _is_usable(parameters: dict[str, str]) -> bool:
    offered = [
        word.strip().lower() for word in parameters.get("qop", "auth").split(",")
    ]
    known = _algorithm(parameters)[0] in _HASHES
    return known and "auth" in offered and {"nonce", "realm"} <= parameters.keys()


def _algorithm(parameters: dict[str, str]) -> tuple[str, bool]:
    """The name of the hash, and whether the algorithm is its `-sess` variant."""
    name = parameters.get("algorithm", "md5").lower()
    return name.removesuffix("-sess"), name.endswith("-sess")


def _digest(
    parameters: dict[str, str],
    credentials: Credentials,
    method: str,
    target: str,
    count: int,
    client_nonce: str,
) -> str:
    """A Digest header (RFC 7616 section 3.4); without `qop` as in RFC 2069."""
    name, session = _algorithm(parameters)

    def digest(*parts: str) -> str:
        hashed: str = _HASHES[name](":".join(parts).encode()).hexdigest()
        return hashed

    realm, nonce = parameters["realm"], parameters["nonce"]
    secret = digest(credentials.user, realm, credentials.password)
    if session:
        secret = digest(secret, nonce, client_nonce)
    number = f"{count:08x}"
    has_qop = "qop" in parameters
    middle = (nonce, number, client_nonce, "auth") if has_qop else (nonce,)
    fields = {
        "username": credentials.user.encode().decode("latin-1"),
        "realm": realm,
        "nonce": nonce,
        "uri": target,
        "response": digest(secret, *middle, digest(method, target)),
        "opaque": parameters.get("opaque"),
        "cnonce": client_nonce if has_qop or session else None,
    }
    quoted = [
        f"{key}={_quoted(text)}" for key, text in fields.items() if text is not None
    ]
    if "algorithm" in parameters:
        quoted.append(f"algorithm={parameters['algorithm']}")
    if has_qop:
        quoted += ["qop=auth", f"nc={number}"]
    return "Digest " + ", ".join(quoted)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
