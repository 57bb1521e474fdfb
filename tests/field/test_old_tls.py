"""Servers that offer one old cipher suite, which OpenSSL's default list has."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from crawler.cli import run
from tests.field.cases import unmended
from tests.site.page import reply
from tests.site.server import Handler, Site

SUITES: Mapping[str, str] = {
    "tls1": "ECDHE-RSA-AES256-SHA",
    "tls2": "AES128-SHA",
    "tls4": "AES128-SHA256",
}
PAGES: Mapping[str, Handler] = {"": reply("ok"), "robots.txt": reply(status=404)}
CASES = [
    pytest.param(suite, id=case_id, marks=unmended(case_id))
    for case_id, suite in SUITES.items()
]


@pytest.mark.parametrize("suite", CASES)
def test_an_old_cipher_suite_is_accepted(suite: str, tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    site = Site(PAGES, tls={"": context(authority, suite)})
    options = f"""
        -w 0 -q -t 1 --allow-net 127.0.0.0/8 --resolve *:{site.port}:127.0.0.1
        --cacert {ca_file} -d {tmp_path}/out"""
    try:
        code = run(["crawl", f"https://a.field.test:{site.port}/", *options.split()])
    finally:
        site.stop()
    assert code == 0


def context(authority: trustme.CA, suite: str) -> ssl.SSLContext:
    """A server that speaks TLS 1.2 with `suite` alone; all need an RSA certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(suite)
    key_type = trustme.KeyType.RSA
    authority.issue_cert("a.field.test", key_type=key_type).configure_cert(made)
    return made
