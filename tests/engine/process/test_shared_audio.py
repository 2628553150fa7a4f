"""A sound in shared memory: what was written is taken, and nothing of it stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.engine.process.shared_audio import SharedAudio
from bridge.errors import OutOfMemory
from tests.processes import no_more_files

SHAPE = (2, 2, 5)

LINUX = "looks where Linux keeps shared memory"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason=LINUX)


@pytest.fixture
def sound() -> Iterator[SharedAudio]:
    sound = SharedAudio.create(SHAPE)
    yield sound
    sound.close()


def numbered(frames: int, first: int = 0) -> NDArray[np.float32]:
    """Samples that tell their variation, channel and frame."""
    variation, channel, frame = np.indices((*SHAPE[:2], frames), dtype=np.float32)
    samples: NDArray[np.float32] = 100 * variation + 10 * channel + frame + first
    return samples


def test_what_one_writes_piece_by_piece_the_other_takes_whole(sound: SharedAudio) -> None:
    writer = SharedAudio.attach(sound.place)
    assert writer.write(0, numbered(3)) == 3
    assert writer.write(3, numbered(2, first=3)) == 5
    writer.close()
    waveforms = sound.waveforms(32_000)
    sound.close()
    for waveform, expected in zip(waveforms, numbered(5), strict=True):
        assert waveform.sample_rate == 32_000
        assert (waveform.samples == expected.T).all()
        assert waveform.samples.flags.c_contiguous


@pytest.mark.parametrize(
    ("first", "shape"), [(3, (2, 2, 3)), (0, (1, 2, 2)), (0, (2, 1, 2)), (6, (2, 2, 0))]
)
def test_what_does_not_belong_is_refused(
    sound: SharedAudio, first: int, shape: tuple[int, int, int]
) -> None:
    sound.write(0, numbered(5))
    with pytest.raises(ValueError, match=r"at frame \d of"):
        sound.write(first, np.ones(shape, np.float32))
    assert (sound.waveforms(32_000)[1].samples == numbered(5)[1].T).all()


@on_linux
def test_the_memory_lasts_without_its_name_and_goes_with_the_last_who_has_it(
    sound: SharedAudio,
) -> None:
    file = Path("/dev/shm") / sound.place.name
    writer = SharedAudio.attach(sound.place)
    assert file.exists()
    sound.unlink()
    sound.unlink()
    assert not file.exists()
    writer.write(0, numbered(5))
    assert (sound.waveforms(32_000)[0].samples == numbered(5)[0].T).all()
    for each in (writer, sound, sound):
        each.close()
    assert sound.place.name not in Path("/proc/self/maps").read_text()


@on_linux
def test_a_name_that_the_system_has_taken_away_is_no_error(sound: SharedAudio) -> None:
    os.unlink(Path("/dev/shm") / sound.place.name)
    sound.close()
    resource_tracker.unregister(f"/{sound.place.name}", "shared_memory")


def test_no_room_is_an_error_of_the_request_and_not_a_crash() -> None:
    if sys.platform != "linux":
        pytest.skip(LINUX)
    # More than the memory's file system has, which is told before any of it is written.
    whole = os.statvfs("/dev/shm")
    frames = 2 * whole.f_frsize * whole.f_blocks // 4
    sound = SharedAudio.create((1, 1, frames))
    try:
        with pytest.raises(OutOfMemory, match=r"for \d+ MB of sound \(No space left.*\): ask"):
            SharedAudio.attach(sound.place)
    finally:
        sound.close()
    assert not (Path("/dev/shm") / sound.place.name).exists()


@on_linux
def test_no_more_files_are_an_error_of_the_request() -> None:
    with no_more_files(), pytest.raises(OutOfMemory, match="Too many open files"):
        SharedAudio.create(SHAPE)
