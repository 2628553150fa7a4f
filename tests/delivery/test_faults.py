"""A full disk, a kill and an interrupt leave no partial clip; two writers never take one name.

Writers are real processes; the test kills them when it sees the state to test on disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

import bridge
from bridge.delivery.wav import clear_stale_parts
from tests.processes import KILLED

if sys.platform == "win32":
    pytest.skip("limits and signals are POSIX's", allow_module_level=True)

WRITER = """
import sys
from fractions import Fraction
import numpy as np
from bridge.audio import Waveform
from bridge.delivery import write_clip
from bridge.timing import Meter

def write(folder, number, frames, name="clip", text="", notes=b"notes"):
    samples = np.full((frames, 2), number / 1000, np.float32)
    return write_clip(folder, Waveform(samples, 44100), {"number": number, "text": text},
                      name=name, bars=1, tempo_bpm=Fraction(120), meter=Meter(), notes=notes)
"""

LIMITED = """
import resource, signal
from bridge.errors import DiskFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write(sys.argv[1], 1, int(sys.argv[2]), text="x" * int(sys.argv[3]),
          notes=bytes(int(sys.argv[4])))
except DiskFull as error:
    print(error)
    sys.exit(error.exit_status)
"""

FRAMES = 1_500_000
"""9 MB: writing takes long enough to see it in progress."""
PATIENCE_SECONDS = 100
MANY_TIMES = 60
"""Number of chances to see a state; if it never appears, the writer ends and the test fails."""
REPEATED = f"""
print("ready", flush=True)
for number in range({MANY_TIMES}):
    write(sys.argv[1], number, {FRAMES}, text="x" * 100_000, notes=bytes(100_000))
"""

INTERRUPTED = f"""
print("ready", flush=True)
try:
    for number in range({MANY_TIMES}):
        write(sys.argv[1], number, {FRAMES})
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

MANY = """
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 5):
    print(write(sys.argv[1], number, 3000).name)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parent.parent)},
    )


def finish(writer: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for a writer and return its stdout and stderr; kill it if it never ends."""
    try:
        return writer.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        writer.kill()
        writer.communicate()
        raise


def assert_all_complete(folder: Path) -> int:
    """Assert that every visible clip is complete, with what is beside it; return how many are."""
    clips = list(folder.glob("*.wav"))
    for clip in clips:
        sound, _ = soundfile.read(clip)
        number = json.loads(clip.with_suffix(".json").read_text())["number"]
        assert clip.with_suffix(".notes.mid").is_file()
        assert clip.stat().st_size == int.from_bytes(clip.read_bytes()[4:8], "little") + 8
        assert abs(sound - number / 1000).max() < 1e-6
    return len(clips)


@pytest.mark.parametrize(
    ("frames", "text", "notes"),
    [(FRAMES, 0, 0), (16_650, 0, 0), (1000, 200_000, 0), (1000, 0, 200_000)],
    ids=["at the clip", "at its last bytes", "at the sidecar", "at the notes"],
)
def test_a_full_disk_is_an_error_and_leaves_no_files(
    tmp_path: Path, frames: int, text: int, notes: int
) -> None:
    writer = start(LIMITED, tmp_path, frames, text, notes)
    output, errors = finish(writer)
    assert writer.returncode == 1, errors
    assert str(tmp_path) in output and "free some space" in output
    assert list(tmp_path.iterdir()) == []


def test_under_the_limit_the_clip_is_written(tmp_path: Path) -> None:
    """This shows that the limit caused the error in the test above."""
    writer = start(LIMITED, tmp_path, 16_000, 0, 0)
    _, errors = finish(writer)
    assert writer.returncode == 0, errors
    assert assert_all_complete(tmp_path) == 1


def part_of_at_least(size: int) -> Callable[[Path], bool]:
    def seen(folder: Path) -> bool:
        try:
            return any(part.stat().st_size >= size for part in folder.glob(".*.wav.part"))
        except FileNotFoundError:
            return False

    return seen


STATES: dict[str, Callable[[Path], bool]] = {
    "part made": part_of_at_least(0),
    "part begun": part_of_at_least(1),
    "part half": part_of_at_least(FRAMES * 3),
    "part complete": part_of_at_least(FRAMES * 6 + 44),
    "sidecar begun": lambda folder: any(folder.glob(".*.json.part")),
    "sidecar there": lambda folder: any(folder.glob("*.json")),
    "notes begun": lambda folder: any(folder.glob(".*.notes.mid.part")),
    "notes there": lambda folder: any(folder.glob("*.notes.mid")),
    "clip there": lambda folder: any(folder.glob("*.wav")),
}


@pytest.mark.parametrize("state", list(STATES))
def test_a_kill_leaves_no_visible_partial_clip(tmp_path: Path, state: str) -> None:
    writer = start(REPEATED, tmp_path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    while not STATES[state](tmp_path) and writer.poll() is None:
        pass
    writer.kill()
    finish(writer)
    assert writer.returncode == KILLED
    assert_all_complete(tmp_path)
    # The next writer cleans up, and then every sidecar and all notes have their clip.
    clear_stale_parts(tmp_path)
    assert list(tmp_path.glob(".*")) == []
    complete = assert_all_complete(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3 * complete


def test_a_clip_in_progress_is_not_removed(tmp_path: Path) -> None:
    """The writer is stopped, not dead, while another process cleans the folder."""
    writer = start(REPEATED, tmp_path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    while not STATES["part begun"](tmp_path) and writer.poll() is None:
        pass
    writer.send_signal(signal.SIGSTOP)
    os.waitpid(writer.pid, os.WUNTRACED)
    parts = list(tmp_path.glob(".*.part"))
    clear_stale_parts(tmp_path)
    assert list(tmp_path.glob(".*.part")) == parts
    writer.send_signal(signal.SIGCONT)
    before = len(list(tmp_path.glob("*.wav")))
    while len(list(tmp_path.glob("*.wav"))) == before and writer.poll() is None:
        pass
    writer.kill()
    _, errors = finish(writer)
    assert writer.returncode == KILLED, errors
    assert assert_all_complete(tmp_path) > before


@pytest.mark.parametrize("state", ["part begun", "part complete", "sidecar there", "clip there"])
def test_ctrl_c_leaves_only_complete_clips(tmp_path: Path, state: str) -> None:
    writer = start(INTERRUPTED, tmp_path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    while not STATES[state](tmp_path) and writer.poll() is None:
        pass
    writer.send_signal(signal.SIGINT)
    output, errors = finish(writer)
    assert output == "interrupted\n", errors
    assert list(tmp_path.glob(".*")) == []
    complete = assert_all_complete(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3 * complete


def test_concurrent_writers_never_take_the_same_name(tmp_path: Path) -> None:
    """Four processes write five clips each, all with one name."""
    writers = [start(MANY, tmp_path, 10 * number) for number in range(4)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    output = []
    for writer in writers:
        names, errors = finish(writer)
        assert writer.returncode == 0, errors
        output += names.split("\n")[:-1]
    assert len(set(output)) == 20
    assert sorted(output) == sorted(clip.name for clip in tmp_path.glob("*.wav"))
    assert assert_all_complete(tmp_path) == 20
    assert list(tmp_path.glob(".*")) == []


def test_an_unrelated_hidden_file_stays(tmp_path: Path) -> None:
    for name in (".download.part", ".clip.wav", ".notes.json.part"):
        (tmp_path / name).write_text("not ours")
    clear_stale_parts(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
