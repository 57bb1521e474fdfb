"""orbweb doctor: each thing that would keep a crawl from working is reported."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.cli.commands import doctor
from crawler.cli.commands.doctor import LIBRARIES, Finding, findings


def finding(subject: str, folder: Path, **machine: Any) -> Finding:
    found = findings(folder, **machine)
    return next(one for one in found if one.subject == subject)


def test_a_machine_that_passes_these_tests_is_ready(
    tmp_path: Path,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(ca_file)
    )  # a system without authorities may pass
    assert run(["doctor", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if not line.startswith(" ")].count(
        "error"
    ) == 0
    assert list(tmp_path.iterdir()) == []
    assert run(["doctor", str(tmp_path / "not" / "yet"), "--json"]) == 0
    subjects = [one["subject"] for one in json.loads(capsys.readouterr().out)]
    assert {"program", "libraries", "folder", "disk", "descriptors", "clock"} < set(
        subjects
    )


def test_a_folder_that_cannot_hold_a_crawl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert run(["doctor", str(file)]) == 3
    assert "cannot hold a crawl: Not a directory" in capsys.readouterr().out


def test_a_library_that_is_missing(tmp_path: Path) -> None:
    libraries = {**LIBRARIES, "no_such_module": "something"}
    found = finding("libraries", tmp_path, libraries=libraries)
    assert found.state == "error"
    assert (
        found.detail == "can't be loaded: something (No module named 'no_such_module')"
    )


def test_too_few_descriptors(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (250, before[1]))
    try:
        found = finding("descriptors", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (found.state, found.detail[:39]) == (
        "warning",
        "the limit is 250, a crawl needs 416",
    )


def test_a_system_without_certificate_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(nothing))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    assert finding("certificates", tmp_path).state == "error"


def test_a_system_without_name_servers(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    assert finding("name servers", tmp_path, resolv_conf=conf).state == "warning"
    conf.write_text("nameserver 10.0.0.53\nnameserver fd00::53\n")
    found = finding("name servers", tmp_path, resolv_conf=conf)
    assert (found.state, found.detail) == ("ok", "10.0.0.53, [fd00::53]")


def test_proxies_are_shown_without_their_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:s3cr3t@p.example:8080")
    found = finding("proxies", tmp_path)
    assert found.detail == "https_proxy http://ann@p.example:8080"
    monkeypatch.setenv("all_proxy", "ftp://ann:s3cr3t@p.example")
    found = finding("proxies", tmp_path)
    assert found.state == "error"
    assert "s3cr3t" not in found.detail + found.advice


def test_a_clock_that_is_wrong() -> None:
    assert doctor._clock(0.0).state == "error"
    assert doctor._clock(2e9).state == "ok"
