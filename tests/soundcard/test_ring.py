"""The ring keeps what was written, by frame and by time, even when a process dies."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import bridge
from bridge.soundcard.ring import Overwritten, Ring
from tests.peers.wait import until

RATE = 1000


@pytest.fixture
def ring() -> Iterator[Ring]:
    """A ring of one second of 1000 Hz stereo, and two seconds in reserve."""
    ring = Ring.create(RATE, 2, seconds=1.0)
    yield ring
    ring.unlink()
    ring.close()


def numbered(start: int, frames: int) -> NDArray[np.float32]:
    """Frames with their own number on the left channel, and its negative on the right.

    The number begins again at 2^23, as float32 holds no greater ones exactly.
    """
    numbers = (np.arange(start, start + frames) % 2**23).astype(np.float32)
    return np.stack([numbers, -numbers], axis=1)


def fill(ring: Ring, frames: int, block: int = 50, *, late_seconds: float = 0.0) -> None:
    """Write that many more frames in blocks; frame n is at 100 + n / RATE + `late_seconds`."""
    stop = ring.frames_written + frames
    while ring.frames_written < stop:
        start = ring.frames_written
        count = min(block, stop - start)
        ring.write(numbered(start, count), 100 + (start + count) / RATE + late_seconds)


def test_frames_are_read_by_their_number(ring: Ring) -> None:
    fill(ring, 130, block=50)
    assert ring.frames_written == 130
    assert (ring.read(20, 127) == numbered(20, 107)).all()
    assert ring.read(130, 130).shape == (0, 2)


def test_the_newest_second_is_kept_for_any_block_size(ring: Ring) -> None:
    fill(ring, RATE)
    for block in (7, 999, 64, 2500, 1):
        for _ in range(20):
            fill(ring, 701, block)
            newest = ring.frames_written
            assert ring.oldest_frame == newest - RATE
            assert (ring.read(newest - RATE, newest) == numbered(newest - RATE, RATE)).all()


def test_a_copy_does_not_change_when_more_is_written(ring: Ring) -> None:
    fill(ring, 100)
    copy = ring.read(0, 100)
    fill(ring, 5000)
    assert (copy == numbered(0, 100)).all()


def test_overwritten_and_future_frames_are_refused(ring: Ring) -> None:
    fill(ring, 10_000)
    with pytest.raises(Overwritten, match="the oldest left is 9000"):
        ring.read(0, 10)
    with pytest.raises(Overwritten):
        ring.read(0, 10_000)
    with pytest.raises(Overwritten):
        ring.continuous_from(10)
    for start, stop in ((9990, 10_001), (-1, 5), (9990, 9980)):
        with pytest.raises(ValueError, match="10000 are written"):
            ring.read(start, stop)
    with pytest.raises(ValueError, match="10000 are written"):
        ring.continuous_from(10_000)


def test_a_reader_never_gets_frames_that_were_overwritten_during_the_copy(ring: Ring) -> None:
    """The writer laps the reader all the time: each read is correct, or refused."""
    fill(ring, RATE)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            fill(ring, 500, block=100)

    # By default threads take turns every 5 ms, and the writer hardly ever writes during a copy.
    switch_seconds = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    writer = threading.Thread(target=write)
    writer.start()
    read = refused = 0
    try:
        while read < 200 or refused < 20:
            # Begin before the oldest readable frame, so that some frames go during the copy.
            start = max(0, ring.oldest_frame - RATE * (refused < 20))
            try:
                copy = ring.read(start, start + 900)
            except Overwritten:
                refused += 1
            else:
                read += 1
                assert (copy == numbered(start, 900)).all()
    finally:
        done.set()
        writer.join()
        sys.setswitchinterval(switch_seconds)


def test_frames_and_instants_convert_into_each_other(ring: Ring) -> None:
    fill(ring, 700, block=64)
    for frame in (0, 0.5, 63, 64, 64.25, 333.3, 699, 700):
        assert ring.seconds_at(frame) == pytest.approx(100 + frame / RATE, abs=1e-9)
        assert ring.frame_at(100 + frame / RATE) == pytest.approx(frame, abs=1e-6)
    # Before the first frame and after the newest, at the nominal rate.
    assert ring.frame_at(99.9) == pytest.approx(-100)
    assert ring.frame_at(101) == pytest.approx(1000)
    assert ring.seconds_at(1000) == pytest.approx(101)


def test_a_rate_other_than_the_nominal_one_is_followed(ring: Ring) -> None:
    for block in range(20):
        ring.write(numbered(block * 50, 50), 100 + (block + 1) * 0.0501)
    assert ring.seconds_at(500) == pytest.approx(100 + 10 * 0.0501)
    assert ring.frame_at(100 + 10.5 * 0.0501) == pytest.approx(525)


def test_lost_frames_are_a_jump_in_time_and_break_continuity(ring: Ring) -> None:
    fill(ring, 300, block=50)
    fill(ring, 200, block=50, late_seconds=0.25)
    assert ring.seconds_at(299.9) == pytest.approx(100.2999)
    assert ring.seconds_at(300) == pytest.approx(100.55)
    assert ring.frame_at(100.29) == pytest.approx(290)
    # The loss is between these two instants.
    assert ring.frame_at(100.31) == ring.frame_at(100.54) == 300
    assert ring.frame_at(100.56) == pytest.approx(310)
    assert ring.continuous_from() == ring.continuous_from(300) == 300
    assert ring.continuous_from(299) == 0


def test_a_small_correction_of_the_time_is_no_loss(ring: Ring) -> None:
    fill(ring, 300, block=50)
    fill(ring, 50, block=50, late_seconds=0.002)
    fill(ring, 50, block=50, late_seconds=-0.002)
    assert ring.continuous_from() == 0
    assert ring.seconds_at(350) == pytest.approx(100.352)


def test_time_never_runs_backwards(ring: Ring) -> None:
    """The writer's time may run backwards; frames are still found by their time."""
    fill(ring, 300)
    fill(ring, 20, block=1, late_seconds=-0.003)
    seconds = [ring.seconds_at(frame) for frame in range(320)]
    assert seconds == sorted(seconds)
    for frame in range(280, 320):
        assert ring.frame_at(ring.seconds_at(frame) + 0.0001) >= frame


def test_continuous_frames_begin_at_the_oldest_readable_one(ring: Ring) -> None:
    fill(ring, 300)
    fill(ring, 10_000, late_seconds=1.0)
    assert ring.continuous_from() == ring.oldest_frame == 9300


def test_an_empty_ring_has_no_time(ring: Ring) -> None:
    assert ring.frames_written == ring.oldest_frame == ring.continuous_from() == 0
    assert ring.written_seconds == 0
    with pytest.raises(LookupError):
        ring.frame_at(1.0)
    with pytest.raises(LookupError):
        ring.seconds_at(1.0)


def test_the_oldest_frames_keep_their_time_in_small_blocks_with_losses() -> None:
    """A frame near the oldest has its own point, and is not extrapolated from a later one."""
    ring = Ring.create(8000, 1, seconds=20)
    ring.unlink()
    count = 30 * 8000 // 64
    for block in range(count):
        # Ten times slower than nominal, so that extrapolation would be far off.
        ring.write(np.zeros((64, 1), np.float32), 10 + (block + 1) * 64 / 800)
    frame = ring.oldest_frame + 10
    # Each block begins late, so there is a loss before it.
    assert ring.continuous_from(frame) == frame // 64 * 64
    start_seconds = 10 + (frame // 64 + 1) * 64 / 800 - 64 / 8000
    assert ring.seconds_at(frame) == pytest.approx(start_seconds + frame % 64 / 8000)


def test_an_attached_ring_shares_frames_times_and_overflows(ring: Ring) -> None:
    other = Ring.attach(ring.name)
    fill(other, 120)
    other.count_overflow()
    assert (ring.sample_rate, ring.channels) == (other.sample_rate, other.channels) == (RATE, 2)
    assert (ring.read(0, 120) == numbered(0, 120)).all()
    assert ring.overflows == 1
    assert ring.written_seconds > 0
    other.close()
    assert ring.frame_at(100.05) == pytest.approx(50)


def test_no_room_in_shared_memory_is_an_error_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"no-room-{os.getpid()}"
    monkeypatch.setattr("secrets.token_hex", lambda _: name)
    with pytest.raises(OSError) as raised:
        Ring.create(192_000, 32, seconds=1e6)
    assert raised.value.errno in (errno.ENOSPC, errno.ENOMEM)
    assert not Path(f"/dev/shm/melody-{name}").exists()


KILLED_WRITER = """
import multiprocessing, os, signal, sys
import numpy as np
from bridge.soundcard.ring import Ring

def write(name):
    ring = Ring.attach(name)
    ring.write(np.ones((100, 1), np.float32), 5.0)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    ring = Ring.create(1000, 1, 1.0)
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(ring.name,))
    writer.start()
    writer.join()
    print(writer.exitcode, ring.frames_written, ring.read(0, 100).sum(), flush=True)
    {end}
"""


def run_script(folder: Path, end: str) -> subprocess.CompletedProcess[str]:
    """Run the script from a file: a spawned process imports the module of its function."""
    script = folder / "killed_writer.py"
    script.write_text(KILLED_WRITER.replace("{end}", end))
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(Path(bridge.__file__).parents[1])},
    )


def test_a_killed_writer_leaves_the_ring_readable_and_nothing_is_printed(tmp_path: Path) -> None:
    done = run_script(tmp_path, "ring.unlink()")
    assert (done.stdout, done.stderr) == ("-9 100 100.0\n", "")


def test_a_killed_maker_leaves_no_shared_memory(tmp_path: Path) -> None:
    end = "print(ring.name, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    done = run_script(tmp_path, end)
    assert done.returncode == -9
    memory = Path("/dev/shm") / done.stdout.split()[-1]
    until(lambda: not memory.exists(), "the resource tracker has unlinked it")


def test_a_ring_without_references_is_freed() -> None:
    """Python does not count mapped memory, so the test reads the process's own maps."""
    ring = Ring.create(RATE, 2, seconds=1.0)
    name = ring.name
    ring.unlink()
    assert name in Path("/proc/self/maps").read_text()
    del ring
    assert name not in Path("/proc/self/maps").read_text()


def test_a_closed_ring_is_freed_while_references_to_it_exist(ring: Ring) -> None:
    other = Ring.attach(ring.name)
    mapped = Path("/proc/self/maps").read_text().count(ring.name)
    other.close()
    other.close()
    assert Path("/proc/self/maps").read_text().count(ring.name) == mapped - 1
