"""Debian packages that are real web sites."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Site:
    """A site to serve from the folder `root`.

    `index` is its first page, relative to that.
    """

    name: str
    package: str
    root: Path
    index: str = "index.html"

    def missing(self) -> str | None:
        """Why the site can't be used here, or None if it can."""
        if (self.root / self.index).is_file():
            return None
        return f"{self.root} is not there (Debian package {self.package})"


SITES = {
    site.name: site
    for site in (
        Site(
            "postgres",
            "postgresql-doc-15",
            Path("/usr/share/doc/postgresql-doc-15/html"),
        ),
        Site("gimp", "gimp-help-en", Path("/usr/share/gimp/2.0/help/en")),
        Site("python", "python3-doc", Path("/usr/share/doc/python3-doc/html")),
        Site(
            "cppref",
            "cppreference-doc-en-html",
            Path("/usr/share/cppreference/doc/html"),
            "en/index.html",
        ),
        Site(
            "boost",
            "libboost-doc",
            Path("/usr/share/doc/libboost1.74-doc"),
            "doc/html/index.html",
        ),
    )
}
