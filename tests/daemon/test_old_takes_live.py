"""A real daemon: takes are linked from their clips, and old ones go at its start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.delivery.book import store
from tests.peers.daemon import Client, running

YEAR_SECONDS = 365 * 24 * 3600


def aged_take(clips: Path, melodies: Path, name: str) -> Path:
    (clips / "Takes").mkdir(parents=True, exist_ok=True)
    path = Path(shutil.copy(melodies / "scarborough-hum-90bpm.wav", clips / "Takes" / name))
    then = time.time() - YEAR_SECONDS
    os.utime(path, (then, then))
    return path


def test_old_takes_go_at_the_start_and_the_log_says_so_once(
    tmp_path: Path, model: Path, melodies: Path
) -> None:
    kept, old = (aged_take(tmp_path, melodies, f"{name}.wav") for name in ("kept", "old"))
    store(tmp_path, "a", age_seconds=YEAR_SECONDS, take="Takes/kept.wav", kept=True)
    store(tmp_path, "b", age_seconds=YEAR_SECONDS, take="Takes/old.wav")
    with running(tmp_path, "--model", str(model)) as daemon:
        daemon.logged("takes_deleted", count=1, days=30)
    assert kept.exists() and not old.exists()
    assert len(list(tmp_path.glob("*.wav"))) == 2, "no clip goes"


def test_with_takes_days_0_every_take_stays(tmp_path: Path, model: Path, melodies: Path) -> None:
    old = aged_take(tmp_path, melodies, "old.wav")
    with running(tmp_path, "--model", str(model), "--takes-days", "0") as daemon:
        daemon.ready()
    assert old.exists()


def test_a_command_keeps_and_renders_again_what_a_running_daemon_made(
    tmp_path: Path, model: Path
) -> None:
    def command(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "bridge", *words, "--clips", str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    with running(tmp_path, "--model", str(model)) as daemon, Client(daemon.port) as client:
        client.send("/bridge/capture/notes", "me-1", *(1, 0, 60, 1, 1, 64, 1, 2, 67, 2))
        client.send("/bridge/generate", "me-2", *("bars", 1, "seed", 7, "tempo_bpm", 90))
        (clip,) = client.done("me-2")
        path = Path(str(clip.arguments[3]))
        (take,) = (tmp_path / "Takes").iterdir()
        assert json.loads(path.with_suffix(".json").read_text())["take"] == f"Takes/{take.name}"
        command("keep", "last")
        client.send("/bridge/discard", "me-2")
        assert "kept" in str(client.wait("/bridge/error", "me-2").arguments[2])
        # From the stored notes, with its own seed: the same clip.
        command("again", "last", "--seed", "7")
        client.send("/bridge/clips", "me-3")
        again, first = client.done("me-3")
        assert (first.arguments[3], first.arguments[12]) == (str(path), "kept")
        assert Path(str(again.arguments[3])).read_bytes() == path.read_bytes()
        command("discard", "last")
        client.send("/bridge/clips", "me-4")
        assert [each.arguments[3] for each in client.done("me-4")] == [str(path)]
