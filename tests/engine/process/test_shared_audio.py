"""Audio in shared memory: the reader gets what was written, and no memory is left behind."""

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
def audio() -> Iterator[SharedAudio]:
    audio = SharedAudio.create(SHAPE)
    yield audio
    audio.close()


def numbered(frames: int, first: int = 0) -> NDArray[np.float32]:
    """Samples whose value encodes their variation, channel and frame."""
    variation, channel, frame = np.indices((*SHAPE[:2], frames), dtype=np.float32)
    samples: NDArray[np.float32] = 100 * variation + 10 * channel + frame + first
    return samples


def test_the_reader_gets_everything_that_was_written_in_parts(audio: SharedAudio) -> None:
    writer = SharedAudio.attach(audio.ref)
    assert writer.write(0, numbered(3)) == 3
    assert writer.write(3, numbered(2, first=3)) == 5
    writer.close()
    waveforms = audio.waveforms(32_000)
    audio.close()
    for waveform, expected in zip(waveforms, numbered(5), strict=True):
        assert waveform.sample_rate == 32_000
        assert (waveform.samples == expected.T).all()
        assert waveform.samples.flags.c_contiguous


@pytest.mark.parametrize(
    ("first", "shape"), [(3, (2, 2, 3)), (0, (1, 2, 2)), (0, (2, 1, 2)), (6, (2, 2, 0))]
)
def test_audio_of_another_shape_or_past_the_end_is_refused(
    audio: SharedAudio, first: int, shape: tuple[int, int, int]
) -> None:
    audio.write(0, numbered(5))
    with pytest.raises(ValueError, match=r"at frame \d of"):
        audio.write(first, np.ones(shape, np.float32))
    assert (audio.waveforms(32_000)[1].samples == numbered(5)[1].T).all()


@on_linux
def test_unlinked_memory_lasts_until_the_last_user_closes_it(
    audio: SharedAudio,
) -> None:
    file = Path("/dev/shm") / audio.ref.name
    writer = SharedAudio.attach(audio.ref)
    assert file.exists()
    audio.unlink()
    audio.unlink()
    assert not file.exists()
    writer.write(0, numbered(5))
    assert (audio.waveforms(32_000)[0].samples == numbered(5)[0].T).all()
    for each in (writer, audio, audio):
        each.close()
    assert audio.ref.name not in Path("/proc/self/maps").read_text()


@on_linux
def test_a_name_that_the_system_has_removed_is_no_error(audio: SharedAudio) -> None:
    os.unlink(Path("/dev/shm") / audio.ref.name)
    audio.close()
    resource_tracker.unregister(f"/{audio.ref.name}", "shared_memory")


def test_too_little_shared_memory_is_an_error_and_not_a_crash() -> None:
    if sys.platform != "linux":
        pytest.skip(LINUX)
    # More than the memory's file system has: the error comes before anything is written.
    system = os.statvfs("/dev/shm")
    frames = 2 * system.f_frsize * system.f_blocks // 4
    audio = SharedAudio.create((1, 1, frames))
    try:
        with pytest.raises(OutOfMemory, match=r"for \d+ MB of sound \(No space left.*\): ask"):
            SharedAudio.attach(audio.ref)
    finally:
        audio.close()
    assert not (Path("/dev/shm") / audio.ref.name).exists()


@on_linux
def test_too_many_open_files_is_an_error_of_the_request() -> None:
    with no_more_files(), pytest.raises(OutOfMemory, match="Too many open files"):
        SharedAudio.create(SHAPE)
