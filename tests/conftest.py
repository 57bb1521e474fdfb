"""Fixtures for all tests, and the same examples in every run."""

from hypothesis import settings

from tests.site.fixtures import authority, ca_file, running_site, running_tls_site, site, tls_site

__all__ = ["authority", "ca_file", "running_site", "running_tls_site", "site", "tls_site"]

# A loaded machine is no failure, and a failure has to come again.
settings.register_profile("orbweb", deadline=None, derandomize=True)
settings.load_profile("orbweb")
