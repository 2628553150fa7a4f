"""The scripts, written where Ardour finds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.errors import NotWritable
from bridge.hosts.ardour.install import SCRIPTS, install, script


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds those of each version of Ardour."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path


def test_install_writes_the_scripts_for_every_version_that_has_cue_slots(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flatpak = Path.home() / ".var/app/org.ardour.Ardour/config"
    for name in ("ardour6", "ardour7", "ardour8", "ardourette"):
        (configuration / name).mkdir()
    (flatpak / "ardour8").mkdir(parents=True)
    assert main(["ardour", "--install", "--osc-port", "7999", "--json"]) == 0
    paths = [Path(path) for path in json.loads(capsys.readouterr().out)["scripts"]]
    folders = [configuration / "ardour7", configuration / "ardour8", flatpak / "ardour8"]
    wanted = [folder / "scripts" / name for folder in folders for name in SCRIPTS]
    assert sorted(paths) == sorted(wanted)
    assert all("local DAEMON_PORT = 7999\n" in path.read_text() for path in paths)
    assert main(["ardour", "--install"]) == 0
    assert "New Hook" in capsys.readouterr().out


def test_without_ardour_the_remedy_is_named_and_nothing_is_written(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ardour", "--install"]) == 2
    error = capsys.readouterr().err
    assert "start Ardour once" in error
    assert str(configuration) in error and "org.ardour.Ardour" in error
    assert list(configuration.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "scripts").write_text("in the way")
    with pytest.raises(NotWritable, match="cannot be written"):
        install([tmp_path], osc_port=7771)


def test_the_inbox_is_a_text_of_lua_whatever_its_path() -> None:
    text = script(SCRIPTS[0], osc_port=7771, inbox=Path('/tmp/a "b"\\ é'))
    assert '\tlocal INBOX = "/tmp/a \\034b\\034\\092 \\195\\169"\n' in text
