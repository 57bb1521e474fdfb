"""Exit codes of a crawl that ran to its end."""

import pytest

from crawler.engine import exit_status


def counts(**known: int) -> dict[str, int]:
    return dict.fromkeys(("page", "file", "image", "error", "skip"), 0) | known


@pytest.mark.parametrize(
    ("failures", "states", "code"),
    [
        ([], counts(page=1), exit_status.DONE),
        ([("status_5xx", 500)], counts(page=1, error=1), exit_status.DONE),
        ([("connect_refused", None)], counts(error=1), exit_status.SEEDS_UNREACHABLE),
        ([("status_4xx", 404)], counts(error=1), exit_status.NO_PAGE),
        ([("tls_verify", None)], counts(error=1), exit_status.SEEDS_UNTRUSTED),
        ([("status_4xx", 401)], counts(error=1), exit_status.SEEDS_FORBIDDEN),
        (
            [("status_4xx", 401), ("reset", None)],
            counts(error=2),
            exit_status.SEEDS_UNREACHABLE,
        ),
        ([], counts(skip=2), exit_status.SEEDS_EXCLUDED),
        (
            [("status_5xx", 500), ("reset", None)],
            counts(error=2),
            exit_status.SEEDS_UNREACHABLE,
        ),
        (
            [("status_4xx", 401), ("status_4xx", 404)],
            counts(error=2),
            exit_status.NO_PAGE,
        ),
        ([("redirect_loop", 301)], counts(error=1), exit_status.NO_PAGE),
        ([], counts(), exit_status.NO_PAGE),
        (
            [],
            counts(image=1),
            exit_status.DONE,
        ),  # pictures and papers may be what is wanted
        ([], counts(file=1), exit_status.DONE),
        ([], counts(file=1, image=9, redirect=3), exit_status.DONE),
        (
            [],
            counts(file=1, error=5),
            exit_status.NO_PAGE,
        ),  # a sitemap without a page
        ([], counts(file=1, skip=5), exit_status.SEEDS_EXCLUDED),
        ([], counts(file=1, queued=5), exit_status.NO_PAGE),
    ],
)
def test_code(failures, states, code):
    assert exit_status.exit_code(failures, states, fail_on="") == code


@pytest.mark.parametrize(
    ("fail_on", "failures", "errors", "failed"),
    [
        ("", [], 9, False),
        ("any", [], 0, False),
        ("any", [], 1, True),
        ("seed", [], 9, False),
        ("seed", [("reset", None)], 1, True),
        ("5%", [], 5, False),
        ("5%", [], 6, True),
        ("0%", [], 1, True),
    ],
)
def test_fail_on(fail_on, failures, errors, failed):
    code = exit_status.exit_code(
        failures, counts(page=100 - errors, error=errors), fail_on
    )
    assert code == (exit_status.TOO_MANY_FAILURES if failed else exit_status.DONE)
