"""Plug-ins are found, made and checked before a crawl begins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler.cli import run
from crawler.model.config import PluginConfig
from crawler.model.errors import UsageError
from crawler.plugins.loading import check_plugin, configs_of, load_plugins
from tests.helpers import plugins
from tests.helpers.plugins import FirstHeading, Needy, instance

HERE = "tests.helpers.plugins"


def complaint(use: str, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load_plugins([PluginConfig(use, options)])
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


def test_a_class_is_called_with_its_options() -> None:
    config = PluginConfig(f"{HERE}:FirstHeading", {"tag": "h2"})
    (plugin,) = load_plugins([config])
    assert isinstance(plugin.target, FirstHeading)
    assert plugin.target.tag == "h2"
    assert (plugin.name, plugin.config) == (f"{HERE}:FirstHeading", config)
    assert (plugin.methods, plugin.is_sink) == ({"extract"}, False)


def test_an_object_is_taken_as_it_is() -> None:
    (plugin,) = load_plugins([PluginConfig(f"{HERE}:instance")])
    assert plugin.target is instance
    assert "takes no options" in complaint(f"{HERE}:instance", limit=1)


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("no.such.module:X", {}, "can't be imported: ModuleNotFoundError: No module"),
        (f"{HERE}:FirstHeadin", {}, "did you mean 'FirstHeading'?"),
        (f"{HERE}:", {}, "write module:object"),
        ("heading", {}, "no plug-in of this name is installed"),
        (f"{HERE}:NotAPlugin", {}, "has none of the methods of a plug-in: check, "),
        (f"{HERE}:WrongSignature", {}, "check() has to take one argument, the"),
        (f"{HERE}:Coroutine", {}, "on_record() is a coroutine"),
        (f"{HERE}:Needy", {}, "needs the option 'limit'"),
        (f"{HERE}:Needy", {"limt": 1}, "has no option 'limt'; did you mean 'limit'?"),
        (f"{HERE}:Needy", {"limit": -1}, "ValueError: a limit is positive"),
        ("__main__:Mine", {}, "was an object that a program passed"),
    ],
)  # fmt: skip
def test_mistakes(use: str, options: dict[str, Any], message: str) -> None:
    text = complaint(use, **options)
    assert message in text
    assert repr(use) in text


def test_a_module_that_breaks_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("broken_plugin.py").write_text("raise SystemExit('bye')\n")
    assert "SystemExit: bye" in complaint("broken_plugin:X")


def test_the_working_directory_is_looked_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    code = "class Here:\n    def on_record(self, record): ...\n"
    Path("orbweb_local_plugin.py").write_text(code)
    Path("msgspec.py").write_text(code)
    (plugin,) = load_plugins([PluginConfig("orbweb_local_plugin:Here")])
    assert plugin.methods == {"on_record"}
    shadowed = complaint("msgspec:Here")
    assert "has no 'Here'" in shadowed
    assert f"msgspec ({msgspec.__file__})" in shadowed
    sys.modules.pop("orbweb_local_plugin")


def test_a_failed_import_names_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("orbweb_failing_plugin.py").write_text("\nraise RuntimeError('boom')\n")
    wrong = complaint("orbweb_failing_plugin:Here")
    assert "RuntimeError: boom (" in wrong
    assert wrong.endswith("orbweb_failing_plugin.py:2)")
    Path("orbweb_needy_plugin.py").write_text("import orbweb_absent_library\n")
    assert "orbweb_needy_plugin.py:1)" in complaint("orbweb_needy_plugin:Here")
    assert complaint("orbweb_absent_plugin:Here").endswith(
        f"; looked for on the import path and in {tmp_path}"
    )


def test_an_installed_package_offers_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "offers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: offers\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        f"[orbweb.plugins]\nheading = {HERE}:FirstHeading\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (plugin,) = load_plugins([PluginConfig("heading")])
    assert isinstance(plugin.target, FirstHeading)
    assert "installed: heading" in complaint("headin")


def test_objects_of_a_program_stand_in_for_their_names() -> None:
    mine, other = FirstHeading("h3"), Needy(4)
    configs = configs_of([mine, Needy])
    assert [config.use for config in configs] == [
        f"{HERE}:FirstHeading",
        f"{HERE}:Needy",
    ]
    first, second = load_plugins(configs, [other, mine])
    assert first.target is mine
    assert second.target is other
    assert first.config is None


def test_two_of_a_kind_have_names_of_their_own() -> None:
    config = PluginConfig(f"{HERE}:Needy", {"limit": 1})
    names = [plugin.name for plugin in load_plugins([config, config], [Needy(2)])]
    assert names == [f"{HERE}:Needy", f"{HERE}:Needy#2"]
    names = [plugin.name for plugin in load_plugins([], [Needy(1), Needy(2)])]
    assert names == [f"{HERE}:Needy", f"{HERE}:Needy#2"]


def test_a_check_makes_nothing() -> None:
    check_plugin(PluginConfig(f"{HERE}:Needy", {"limit": -1}))
    assert plugins.instance.records == []


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("no.such.module:X", "can't be imported"),
        (f"{HERE}:NotAPlugin", "has none of the methods"),
        (f"{HERE}:WrongSignature", "has to take one argument"),
        (f"{HERE}:Needy", "needs the option 'limit'"),
    ],
)
def test_the_command_line_refuses_it_before_anything_is_written(
    use: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    words = ["crawl", "http://127.0.0.1:1/", "-d", str(folder), "--plugin", use]
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not folder.exists()
