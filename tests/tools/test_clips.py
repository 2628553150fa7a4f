"""The commands of the sketch book, as a person types them: list, keep, discard, restore, open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.delivery.clip_book import clip_id
from bridge.tools.open_clip import open_path
from tests.delivery.book import store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the user's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with three clips, the newest named `c`, one of them kept."""
    folder = tmp_path / "Clips"
    store(folder, "a", age_seconds=20, preset="lofi-keys", take="Takes/2026 me-1 90bpm.wav")
    store(folder, "b", age_seconds=10, kept=True, melody="/home/me/tune.mid", notes=b"notes")
    store(folder, "c", melody_similarity=None)
    return folder


class Ran:
    """What a command printed, and its exit status."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> None:
        capsys.readouterr()
        self.status = cli.main([*words, "--clips", str(folder)])
        self.out, self.err = capsys.readouterr()

    @property
    def names(self) -> list[str]:
        return [line.split("  <-")[0].split()[-1] for line in self.out.splitlines()]


def listed(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> list[dict[str, Any]]:
    ran = Ran(capsys, folder, "clips", "--json", *words)
    assert ran.status == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["clips"]
    return found


def test_the_list_is_newest_first_filtered_and_limited(
    capsys: pytest.CaptureFixture[str], clips: Path
) -> None:
    assert Ran(capsys, clips, "clips").names == ["c", "b", "a"]
    assert Ran(capsys, clips, "clips", "--limit", "1").names == ["c"]
    assert Ran(capsys, clips, "clips", "--limit", "0").names == ["c", "b", "a"]
    assert Ran(capsys, clips, "clips", "--kept").names == ["b"]
    assert Ran(capsys, clips, "clips", "--preset", "Lofi-Keys").names == ["a"]
    assert Ran(capsys, clips, "clips", "--melody", "me-1").names == ["a"]
    first, second, _ = Ran(capsys, clips, "clips").out.splitlines()
    assert first.startswith(f"{clip_id('c')}  ") and "kept" in second and "<- tune" in second
    none = Ran(capsys, clips, "clips", "--preset", "nothing")
    assert none.status == 0 and "no such clips" in none.out
    refused = Ran(capsys, clips, "clips", "--limit", "-1")
    assert refused.status == 2 and "limit -1" in refused.err


def test_json_has_what_was_made_from_what(capsys: pytest.CaptureFixture[str], clips: Path) -> None:
    (clips / "Takes").mkdir()
    take = clips / "Takes" / "2026 me-1 90bpm.wav"
    take.touch()
    newest, kept, oldest = listed(capsys, clips)
    assert (newest["mark"], kept["mark"], newest["melody_similarity"]) == ("none", "kept", None)
    assert oldest["take"] == str(take) and kept["take"] is None
    assert kept["notes"] == str(clips / "b.notes.mid") and newest["notes"] is None
    assert oldest["path"] == str(clips / "a.wav") and oldest["preset"] == "lofi-keys"
    assert (oldest["bars"], oldest["tempo_bpm"], oldest["meter"], oldest["seed"]) == (
        1,
        120,
        "4/4",
        7,
    )


def test_clips_are_kept_discarded_and_restored(
    capsys: pytest.CaptureFixture[str], clips: Path
) -> None:
    a, b, c = map(clip_id, "abc")
    ran = Ran(capsys, clips, "keep", "last", c, a[:4])
    assert ran.out.splitlines() == [f"{c}  kept  c.wav", f"{a}  kept  a.wav"]
    assert [each["mark"] for each in listed(capsys, clips)] == ["kept"] * 3
    refused = Ran(capsys, clips, "discard", a)
    assert refused.status == 2 and "kept" in refused.err and "unkeep" in refused.err
    assert Ran(capsys, clips, "unkeep", a, b).status == 0
    # A kept clip stays, the others go, and the exit status says so.
    some = Ran(capsys, clips, "discard", a, b, c)
    assert some.status == 1 and len(some.out.splitlines()) == 2 and "1 stay" in some.err
    assert [each["id"] for each in listed(capsys, clips, "--discarded")] == [b, a]
    assert "2 discarded" in Ran(capsys, clips, "clips").out
    assert Ran(capsys, clips, "restore", a).out == f"{a}  restored  a.wav\n"
    assert [each["id"] for each in listed(capsys, clips)][:1] == [a]
    # Nothing is changed unless every id is known.
    assert Ran(capsys, clips, "keep", a, "nothing").status == 2
    assert listed(capsys, clips)[0]["mark"] == "none"


@pytest.mark.parametrize("command", ["keep", "discard", "restore", "open", "again"])
def test_an_id_that_is_none_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], clips: Path, command: str
) -> None:
    for word in ("zzz", "", "x" * 5000, "a\0b", "../a", "/etc/passwd"):
        ran = Ran(capsys, clips, command, word)
        assert ran.status == 2 and len(ran.err.splitlines()) == 1 and not ran.out, word
        assert len(ran.err) < 2000


def test_a_missing_folder_has_no_clips_and_a_file_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = Ran(capsys, tmp_path / "nowhere", "clips")
    assert ran.status == 0 and "no such clips" in ran.out
    assert Ran(capsys, tmp_path / "nowhere", "clips", "--json").status == 0
    assert Ran(capsys, tmp_path / "nowhere", "keep", "last").status == 2
    assert Ran(capsys, tmp_path / "nowhere", "clips", "--html").status == 2
    (tmp_path / "file").touch()
    refused = Ran(capsys, tmp_path / "file", "clips")
    assert refused.status == 2 and "is not a folder" in refused.err
    assert not (tmp_path / "nowhere").exists()


def test_hostile_names_reach_no_terminal(capsys: pytest.CaptureFixture[str], clips: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    store(clips, "evil\x1b[2J\n\u202e name", melody="/x/\x07bell.wav")
    ran = Ran(capsys, clips, "clips", "--limit", "1")
    assert ran.status == 0 and len(ran.out.splitlines()) == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(ran.out)


def test_open_prints_the_path_and_says_why_nothing_opens(
    capsys: pytest.CaptureFixture[str], clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("something would open there")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    ran = Ran(capsys, clips, "open", "last")
    assert ran.status == 0 and ran.out == f"{clips / 'c.wav'}\n" and "no display" in ran.err
    assert Ran(capsys, clips, "open").out == f"{clips}\n"


def test_the_systems_opener_gets_the_path(
    clips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("the opener has another name there")
    programs = tmp_path / "bin"
    programs.mkdir()
    opener = programs / "xdg-open"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n[ -e "$1" ]\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    assert open_path(clips / "c.wav") == ""
    assert (tmp_path / "opened").read_text() == str(clips / "c.wav")
    assert "status 1" in open_path(clips / "gone.wav")


def test_again_renders_from_the_stored_clip_and_links_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path, melodies: Path
) -> None:
    clips = tmp_path / "Clips"
    hum = str(melodies / "scarborough-hum-90bpm.wav")
    settings = ["--bars", "1", "--seed", "3", "--model", str(model), "--out", str(clips)]
    assert cli.main(["render", hum, "--tempo", "90", "--prompt", "bells", *settings]) == 0
    ran = Ran(capsys, clips, "again", "last", "--bars", "2", "--variations", "2", "--json")
    assert ran.status == 0, ran.err
    assert [(clip["bars"], clip["seed"]) for clip in json.loads(ran.out)["clips"]]
    best, other, first = listed(capsys, clips)
    assert {best["seed"], other["seed"]} == {3, 4} and best["bars"] == other["bars"] == 2
    assert best["again_of"] == other["again_of"] == Path(first["path"]).name
    assert (best["prompt"], best["melody"]) == (first["prompt"], hum)
    refused = Ran(capsys, clips, "again", "last", "--bars", "0")
    assert refused.status == 2 and "bars 0" in refused.err
    os.unlink(best["path"])
    assert "1 sidecars are left out" in Ran(capsys, clips, "clips").err


def test_the_list_of_a_reader_that_closes_ends_quietly(clips: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a closed pipe is another error there")
    command = f"{sys.executable} -m bridge clips --json --clips '{clips}' | head -c 1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert ran.stdout == "{" and not ran.stderr
