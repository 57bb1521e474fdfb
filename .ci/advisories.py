"""pip-audit of the dependencies; fails if the advisories of one can't be read.

The package index keeps the advisories of each release. Mirrors often have no page of a
single release ("not found"), but they have a page of the project with the advisories of
its latest release. That page is read instead, if the latest release is the one that
would be installed.
"""

import sys
from typing import Any

import requests
from pip_audit import _cli
from pip_audit._service import PyPIService, ServiceError


class OrLatest:
    """A session that reads the project's page where the release has none.

    It does so only if the latest release is the one requested.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def get(self, url: str, timeout: float | None = None) -> Any:
        """Get ``url``, which ends in /PROJECT/RELEASE/json."""
        answer = self._session.get(url, timeout=timeout)
        if answer.status_code != 404:
            return answer
        project, release, page = url.rsplit("/", 2)
        of_project = self._session.get(f"{project}/{page}", timeout=timeout)
        if of_project.ok and of_project.json()["info"]["version"] == release:
            return of_project
        return answer


class Service(PyPIService):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = OrLatest(self.session)


def main() -> None:
    _cli.PyPIService = Service
    sys.argv[1:] = ["--strict", "--progress-spinner=off", "."]
    try:
        _cli.audit()
    except (requests.RequestException, ServiceError) as error:
        problem = "the advisory service does not answer, nothing is known"
        sys.exit(f"pip-audit: {problem}: {error!r}")


if __name__ == "__main__":
    main()
