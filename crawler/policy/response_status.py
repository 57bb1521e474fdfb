"""What the status of a response means: content, a redirect, or a failure.

RFC 9110 section 15 decides. The body is not looked at; what it is, decides extraction.
"""

from __future__ import annotations

from crawler.model.errors import (
    ClientErrorStatus,
    Failure,
    OtherStatus,
    ProtocolFailure,
    RateLimited,
    ServerErrorStatus,
    StatusFailure,
)
from crawler.model.http import Response
from crawler.policy.retry import retry_after_of

_NO_REDIRECTS = {
    304: "nothing was known that could be unchanged",
    305: "a server does not choose our proxy",
    306: "that status means nothing",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def is_redirect(response: Response) -> bool:
    """Whether the Location is to be followed (RFC 9110 section 15.4).

    An unknown status of the class is read as 300 is: as a redirect if it has a
    Location.
    """
    status = response.status
    return (
        300 <= status < 400
        and status not in _NO_REDIRECTS
        and bool(_locations(response))
    )


def failure_of(response: Response, now: float) -> Failure | None:
    """The failure that a response's status means; None for content and redirects.

    `now`: seconds since the epoch.

    300 without Location is content: a page that names its alternatives. A redirect
    without a Location, or with two, is an error, and so is a part (206) or "not
    modified" (304) that was not requested.
    """
    status = response.status
    violation = _violation(response) if status < 400 else None
    if status < 400 and violation is None:
        return None
    line = f"{status} {response.reason}".rstrip()
    if violation is not None:
        return ProtocolFailure(f"{line}: {violation}", status=status)
    if status == 429:
        kind: type[StatusFailure] = RateLimited
    else:
        classes = {4: ClientErrorStatus, 5: ServerErrorStatus}
        kind = classes.get(status // 100, OtherStatus)
    wait = retry_after_of(response, now)
    return kind(line, status=status, retry_after_s=wait)


def _violation(response: Response) -> str | None:
    """What is wrong with a response that has no error status."""
    status = response.status
    if status < 300:
        return "a part, and the whole was requested" if status == 206 else None
    if status in _NO_REDIRECTS:
        return _NO_REDIRECTS[status]
    locations = _locations(response)
    if status in _REDIRECTS and not locations:
        return "without a Location"
    return "several Locations" if len(locations) > 1 else None


def _locations(response: Response) -> set[str]:
    return {*response.values("location")}
