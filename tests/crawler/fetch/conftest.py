"""Fixtures for the tests of the client."""

from tests.helpers.clients import client, make

__all__ = ["client", "make"]
