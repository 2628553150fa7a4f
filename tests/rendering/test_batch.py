"""Batches: every row has exactly one result, also after mistakes, edits and kills."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.delivery.clip_files import mark_kept
from bridge.delivery.sidecar import read_known
from bridge.errors import BridgeError
from bridge.rendering.batch_jobs import MOST_FILE_BYTES, MOST_ROWS, read_jobs
from bridge.rendering.batch_results import KEY_FIELD, ResultFile
from tests.checkpoints import write_decoder
from tests.peers.terminal import Pane

MIDI = Path(__file__).parents[1] / "melodies" / "twinkle-100bpm.mid"
PATIENCE_SECONDS = 300


def write_rows(file: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines) + "\n")
    return file


def results_of(jobs: Path) -> dict[int, dict[str, Any]]:
    """The result file's lines by row, each row once."""
    lines = jobs.with_name(f"{jobs.stem}.results.jsonl").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    assert len({result["row"] for result in results}) == len(results)
    return {result["row"]: result for result in results}


def batch(jobs: Path, model: Path, *flags: str) -> int:
    out = str(jobs.parent / "clips")
    return cli.main(["render", "--batch", str(jobs), "--model", str(model), "--out", out, *flags])


def clips(folder: Path) -> list[Path]:
    return sorted((folder / "clips").glob("*.wav"))


def test_text_melody_both_and_neither_of_different_lengths(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(MIDI, tmp_path / "tune.mid")
    jobs = tmp_path / "jobs.csv"
    jobs.write_text(
        "melody,prompt,bars,unconditional,seed,variations\n"
        "tune.mid,,1,,1,\n"
        ',"warm, slow",1,,2,2\n'
        "tune.mid,bass,2,,3,\n"
        "\n"
        ",,,true,4,\n"
    )
    assert batch(jobs, model, "--bars", "3", "--guidance-scale", "2") == 0
    results = results_of(jobs)
    assert sorted(results) == [1, 2, 3, 4]
    sidecars = {
        row: json.loads(Path(result["path"]).with_suffix(".json").read_text())
        for row, result in results.items()
    }
    assert [sidecars[row]["bars"] for row in range(1, 5)] == [1, 1, 2, 3]
    assert [sidecars[row]["guidance_scale"] for row in range(1, 5)] == [2.0] * 4
    assert [results[row]["melody_similarity"] is None for row in range(1, 5)] == [
        *(False, True, False, True)
    ]
    assert len(results[2]["paths"]) == 2 and len(clips(tmp_path)) == 5
    assert sidecars[1]["melody"] == str(tmp_path / "tune.mid")
    printed = capsys.readouterr().out
    assert "4 rows; 5 clips in" in printed and "a minute" in printed
    # Again: every row has its result.
    assert batch(jobs, model) == 0
    assert "4 of 4 rows" in capsys.readouterr().out and len(clips(tmp_path)) == 5


def test_rows_that_are_generated_together_sound_as_alone(tmp_path: Path, model: Path) -> None:
    rows = [{"prompt": "warm", "bars": 1, "seed": seed} for seed in (5, 6)]
    assert batch(write_rows(tmp_path / "two.jsonl", *rows), model) == 0
    together = {row: Path(each["path"]) for row, each in results_of(tmp_path / "two.jsonl").items()}
    alone = tmp_path / "alone.wav"
    arguments = ["--prompt", "warm", "--bars", "1", "--seed", "6", "--model", str(model)]
    assert cli.main(["render", *arguments, "--out", str(alone)]) == 0
    assert alone.read_bytes() == together[2].read_bytes()


def test_a_bad_row_is_reported_and_skipped(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = write_rows(
        tmp_path / "jobs.jsonl",
        {"melody": "nowhere.mid"},
        {"prompt": "warm", "bars": 1},
        "{broken",
        "[1]",
        {"prompt": "warm", "color": "red"},
        {"prompt": "warm", "bars": 0},
        {"preset": "nothing"},
        {},
        {"prompt": "warm", "model": str(tmp_path / "no-model")},
    )
    assert batch(jobs, model) == 1
    results = results_of(jobs)
    assert sorted(results) == list(range(1, 10))
    assert [row for row in results if results[row]["error"] is None] == [2]
    for row, words in {
        1: "no such file",
        3: "not JSON",
        4: "not a JSON object",
        5: "'color' is none of",
        6: "bars 0",
        7: "nothing",
        8: "nothing to go by",
        9: "no-model",
    }.items():
        assert words in results[row]["error"], row
    printed = capsys.readouterr()
    assert "row 6 of 9: bars 0" in printed.err and "9 rows, 8 with an error" in printed.out


def test_an_edited_row_is_rendered_again(tmp_path: Path, model: Path) -> None:
    jobs = tmp_path / "jobs.jsonl"
    write_rows(jobs, {"prompt": "warm", "bars": 1, "seed": 1}, {"prompt": "slow", "bars": 0})
    assert batch(jobs, model) == 1
    first = results_of(jobs)
    write_rows(jobs, *({"prompt": each, "bars": 1, "seed": 1} for each in ("warm", "slow")))
    assert batch(jobs, model) == 0
    assert results_of(jobs)[1] == first[1] and results_of(jobs)[2]["error"] is None
    assert len(clips(tmp_path)) == 2


def test_a_batch_that_is_killed_goes_on_where_it_stopped(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it is killed, a second run with the same result file is refused."""
    if sys.platform == "win32":
        pytest.skip("needs SIGKILL")
    rows = [{"prompt": "warm", "bars": 1 + number % 3, "seed": number} for number in range(12)]
    jobs = write_rows(tmp_path / "jobs.jsonl", *rows)
    results = tmp_path / "jobs.results.jsonl"
    command = [sys.executable, "-m", "bridge", "render", "--batch", str(jobs)]
    process = subprocess.Popen(
        [*command, "--model", str(model), "--out", str(tmp_path / "clips")],
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE_SECONDS
    try:
        while not (results.exists() and results.read_text().count("\n") >= 2):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        # Stopped, it is not done before the second run.
        os.kill(process.pid, signal.SIGSTOP)
        assert batch(jobs, model) == 2
        assert "being written by another run" in capsys.readouterr().err and process.poll() is None
    finally:
        process.kill()
        process.wait()
    before = results.read_text().splitlines()[:2]
    assert (tmp_path / ".jobs.results.jsonl.lock").exists(), "the kill left no lock file"
    assert batch(jobs, model) == 0
    assert sorted(results_of(jobs)) == [*range(1, len(rows) + 1)]
    assert results.read_text().splitlines()[:2] == before
    assert {str(path) for path in clips(tmp_path)} == {
        result["path"] for result in results_of(jobs).values()
    }
    assert not (tmp_path / ".jobs.results.jsonl.lock").exists()


def test_a_rows_decoder_is_the_one_that_makes_its_clips(tmp_path: Path, model: Path) -> None:
    decoder = write_decoder(tmp_path / "decoder", channels=2, seed=3)
    row = {"prompt": "warm", "seconds": 0.3, "seed": 1}
    jobs = write_rows(tmp_path / "jobs.jsonl", row, {**row, "decoder": str(decoder)})
    assert batch(jobs, model) == 0
    own, other = (Path(results_of(jobs)[number]["path"]).read_bytes() for number in (1, 2))
    alone = tmp_path / "alone.wav"
    arguments = ["--prompt", "warm", "--seconds", "0.3", "--seed", "1", "--model", str(model)]
    arguments += ["--decoder", str(decoder), "--out", str(alone)]
    assert cli.main(["render", *arguments]) == 0
    assert alone.read_bytes() == other != own


def test_clips_without_a_result_are_adopted_or_removed(tmp_path: Path, model: Path) -> None:
    """As a kill leaves them, between the clips and the line of the result file."""
    rows = [{"prompt": "warm", "bars": 1, "seed": 3, "variations": 2}]
    jobs = write_rows(tmp_path / "jobs.jsonl", *rows)
    assert batch(jobs, model) == 0
    results = tmp_path / "jobs.results.jsonl"
    (whole,) = results_of(jobs).values()
    for cut in ("", json.dumps(whole)[:40]):
        results.write_text(cut)
        written = {path: path.stat().st_mtime_ns for path in clips(tmp_path)}
        assert batch(jobs, model) == 0
        assert results_of(jobs)[1] == whole
        assert {path: path.stat().st_mtime_ns for path in clips(tmp_path)} == written
    results.write_text("")
    clips(tmp_path)[0].unlink()
    assert batch(jobs, model) == 0
    assert sorted(map(str, clips(tmp_path))) == sorted(results_of(jobs)[1]["paths"])
    assert len(list((tmp_path / "clips").glob("*.json"))) == 2


def test_a_resumed_batch_removes_no_clip_that_is_kept_or_anothers(
    tmp_path: Path, model: Path
) -> None:
    row = {"prompt": "warm", "bars": 1, "seed": 3, "variations": 2}
    jobs = write_rows(tmp_path / "jobs.jsonl", row)
    assert batch(jobs, model) == 0
    kept, other = clips(tmp_path)
    (known,) = (read_known(kept.with_suffix(".json")),)
    assert known is not None
    mark_kept(kept.parent, [known], is_kept=True)
    other.unlink()
    (tmp_path / "jobs.results.jsonl").write_text("")
    assert batch(jobs, model) == 0
    assert kept.exists()
    # Of three clips of a row one is another run's: which one is not known.
    before = clips(tmp_path)
    assert len(before) == 3
    (tmp_path / "jobs.results.jsonl").write_text("")
    assert batch(jobs, model) == 0
    assert set(before) < set(clips(tmp_path))


def test_files_that_are_no_jobs_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"prompt\n\xe9\n")
    (tmp_path / "large.csv").write_bytes(b"x" * (MOST_FILE_BYTES + 1))
    (tmp_path / "empty.csv").write_text("prompt\n")
    (tmp_path / "twice.csv").write_text("prompt,prompt\na,b\n")
    (tmp_path / "column.csv").write_text("prompt,plot\na,b.png\n")
    (tmp_path / "many.jsonl").write_text("{}\n" * (MOST_ROWS + 1))
    (tmp_path / "folder.csv").mkdir()
    for name, words in {
        "latin.csv": "UTF-8",
        "large.csv": "larger than",
        "empty.csv": "no rows",
        "twice.csv": "twice",
        "column.csv": "'plot' is none of",
        "many.jsonl": f"more than {MOST_ROWS} rows",
        "folder.csv": "cannot be read",
        "none.csv": "cannot be read",
        "jobs.txt": ".csv or .jsonl",
    }.items():
        with pytest.raises(BridgeError, match=words):
            read_jobs(tmp_path / name)
    jobs = write_rows(tmp_path / "jobs.jsonl", {"prompt": "warm"})
    other = tmp_path / "other.jsonl"
    other.write_text("my notes\nmore notes\n")
    with pytest.raises(BridgeError, match="no result file"):
        ResultFile(other, read_jobs(jobs))
    assert other.read_text() == "my notes\nmore notes\n"


def test_flags_of_a_single_clip_are_refused_with_a_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = write_rows(tmp_path / "jobs.jsonl", {"prompt": "warm"})
    assert cli.main(["render", str(MIDI), "--batch", str(jobs)]) == 2
    assert "write melody into the rows" in capsys.readouterr().err
    assert cli.main(["render", "--prompt", "x", "--results", "y"]) == 2
    assert "--batch" in capsys.readouterr().err
    assert not (tmp_path / "jobs.results.jsonl").exists()


def test_on_a_terminal_each_clip_appears_above_the_bars_and_stays(
    tmp_path: Path, model: Path, require_program: Callable[[str], str]
) -> None:
    jobs = write_rows(
        tmp_path / "jobs.jsonl", *({"prompt": "p", "bars": 1, "seed": n} for n in (1, 2))
    )
    command = [sys.executable, "-m", "bridge", "render", "--batch", str(jobs)]
    command += ["--model", str(model), "--out", str(tmp_path / "clips")]
    pane = Pane(require_program("tmux"), f"{shlex.join(command)}; exec sleep 1000", columns=500)
    try:
        pane.wait("results in ")
        lines = pane.text().splitlines()
    finally:
        pane.close()
    shown = {line for line in lines if line.endswith(".wav")}
    assert shown == {
        f"row {row} of 2: {path}"
        for row, result in results_of(jobs).items()
        for path in result["paths"]
    }


def test_a_clips_sidecar_names_its_row(tmp_path: Path, model: Path) -> None:
    jobs = write_rows(tmp_path / "jobs.jsonl", {"prompt": "warm", "bars": 1})
    assert batch(jobs, model) == 0
    (result,) = results_of(jobs).values()
    sidecar = json.loads(Path(result["path"]).with_suffix(".json").read_text())
    assert sidecar[KEY_FIELD] == result["key"] == read_jobs(jobs)[0].key
