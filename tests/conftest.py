"""Fixtures for all tests."""

from tests.site.fixtures import ca_file, running_site, running_tls_site, site, tls_site

__all__ = ["ca_file", "running_site", "running_tls_site", "site", "tls_site"]
