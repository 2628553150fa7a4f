"""The engine: lengths, conditions, seeds, continuation, progress, cancelling and out of memory."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.audio import Waveform
from bridge.chroma import one_hot
from bridge.engine import Chunk, Engine, Request, Stream, load
from bridge.engine.codec import encode
from bridge.engine.engine import LARGEST_BATCH
from bridge.engine.piece import Piece
from bridge.errors import BadArgument, Cancelled, OutOfMemory, Unsupported
from tests.engine.chunks import codes, joined_chunks

GREEDY = Request(prompt="warm rhodes", seconds=0.5, do_sample=False)
SAMPLED = Request(prompt="lo-fi drums bass", seconds=0.5, seed=11, do_sample=True)


def same(first: list[Waveform], second: list[Waveform]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a.samples, b.samples) for a, b in zip(first, second, strict=True)
    )


def test_an_engine_has_the_facts_of_its_model(mono: Engine, stereo: Engine) -> None:
    assert (mono.num_codebooks, mono.audio_channels) == (4, 1)
    assert (stereo.num_codebooks, stereo.audio_channels) == (8, 2)
    assert (stereo.sample_rate, stereo.frame_rate, stereo.device) == (32_000, 50, "cpu")
    assert stereo.model_name.endswith("stereo0")
    assert stereo.revision is None


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.04, 0.06, 0.5, 0.501, 1.37])
@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_a_piece_has_exactly_the_requested_length(
    kind: str, seconds: float, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    steps = math.ceil(seconds * 50)
    made = joined_chunks(engine, replace(SAMPLED, seconds=seconds, variations=2))
    assert made.codes.shape == (2, engine.num_codebooks, steps)
    assert made.audio.shape == (2, engine.audio_channels, steps * 640)
    assert (str(made.codes.dtype), str(made.audio.dtype)) == ("int64", "float32")
    assert made.codes.min() >= 0 and made.codes.max() < 64


def test_generate_is_the_stream_joined(stereo: Engine) -> None:
    request = replace(SAMPLED, variations=2)
    audio = joined_chunks(stereo, request).audio
    waveforms = stereo.generate(request)
    assert [(made.frames, made.channels, made.sample_rate) for made in waveforms] == [
        (16_000, 2, 32_000)
    ] * 2
    assert all(
        np.array_equal(made.samples.T, row) for made, row in zip(waveforms, audio, strict=True)
    )


def test_prompt_and_melody_each_change_the_codes(
    stereo: Engine, melody: NDArray[np.float32]
) -> None:
    kinds = [
        replace(GREEDY, prompt=prompt, melody=chroma)
        for prompt in (None, "warm rhodes")
        for chroma in (None, melody)
    ]
    made = {codes(stereo, kind).tobytes() for kind in kinds}
    assert len(made) == 4


@pytest.mark.parametrize("kind", ["mono", "stereo"])
@pytest.mark.parametrize("prompt", [None, "warm rhodes"])
def test_two_melodies_give_two_outputs(
    kind: str,
    prompt: str | None,
    melody: NDArray[np.float32],
    other_melody: NDArray[np.float32],
    request: pytest.FixtureRequest,
) -> None:
    """transformers 5.1 to 5.17 drop the melody without a word."""
    engine: Engine = request.getfixturevalue(kind)
    first, second = (
        codes(engine, replace(GREEDY, prompt=prompt, melody=chroma))
        for chroma in (melody, other_melody)
    )
    assert not np.array_equal(first, second)


def test_two_prompts_give_two_outputs(stereo: Engine) -> None:
    assert not np.array_equal(codes(stereo, GREEDY), codes(stereo, replace(GREEDY, prompt="bass")))


def test_an_empty_prompt_is_a_prompt(stereo: Engine) -> None:
    nothing, empty = (codes(stereo, replace(GREEDY, prompt=prompt)) for prompt in (None, ""))
    assert not np.array_equal(nothing, empty)


def test_each_request_of_a_mixed_batch_sounds_as_it_does_alone(
    stereo: Engine, melody: NDArray[np.float32], other_melody: NDArray[np.float32]
) -> None:
    batch = [
        replace(SAMPLED, variations=2),
        Request(melody=melody, seconds=0.3, seed=2, guidance_scale=1.0),
        Request(prompt="slow bass", melody=other_melody, seconds=0.4, temperature=0.7, top_k=5),
        Request(seconds=0.2, do_sample=False),
    ]
    together = stereo.generate(batch)
    assert [len(made) for made in together] == [2, 1, 1, 1]
    for made, request in zip(together, batch, strict=True):
        assert same(made, stereo.generate(request))


def test_an_empty_batch_is_an_empty_list(stereo: Engine) -> None:
    assert stereo.generate([]) == []


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_a_variation_is_the_same_when_made_alone(kind: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(kind)
    together = joined_chunks(engine, replace(SAMPLED, variations=3))
    assert len({row.tobytes() for row in together.codes}) == 3
    for index in range(3):
        alone = joined_chunks(engine, replace(SAMPLED, seed=SAMPLED.seed + index))
        assert np.array_equal(alone.codes[0], together.codes[index])
        assert np.array_equal(alone.audio[0], together.audio[index])


def test_requests_from_several_threads_do_not_change_each_other(stereo: Engine) -> None:
    requests = [replace(SAMPLED, seed=seed) for seed in range(3)]
    alone = [stereo.generate(request) for request in requests]
    together: dict[int, list[Waveform]] = {}

    def make(index: int) -> None:
        together[index] = stereo.generate(requests[index])

    threads = [threading.Thread(target=make, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(alone[index], together[index]) for index in range(3))


def test_a_longer_piece_begins_like_a_shorter_one_of_the_same_seed(stereo: Engine) -> None:
    short, long = (codes(stereo, replace(SAMPLED, seconds=seconds)) for seconds in (0.5, 0.8))
    # Except the last three steps: there the model's tokens already show the end of the piece.
    assert np.array_equal(short[:, :, :22], long[:, :, :22])


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_sampling_from_only_the_likeliest_code_is_greedy(
    stereo: Engine, narrow: dict[str, float]
) -> None:
    request = replace(GREEDY, do_sample=True, **narrow)  # type: ignore[arg-type]
    assert np.array_equal(codes(stereo, request), codes(stereo, GREEDY))
    wide = replace(GREEDY, do_sample=True, top_k=0, top_p=1.0, temperature=1.0)
    assert not np.array_equal(codes(stereo, wide), codes(stereo, GREEDY))


def test_guidance_changes_the_codes(stereo: Engine) -> None:
    made = {codes(stereo, replace(GREEDY, guidance_scale=g)).tobytes() for g in (1.0, 3.0, 9.0)}
    assert len(made) == 3


@pytest.mark.parametrize("kind", ["mono", "stereo"])
@pytest.mark.parametrize("before", [1, 2, 20])
def test_continuing_the_beginning_of_a_piece_gives_its_rest(
    kind: str, before: int, melody: NDArray[np.float32], request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    at_once = joined_chunks(engine, replace(GREEDY, melody=melody, seconds=0.8))
    rest = joined_chunks(
        engine,
        replace(
            GREEDY,
            melody=melody,
            seconds=0.8 - before / 50,
            continue_from=at_once.codes[0, :, :before],
        ),
    )
    assert np.array_equal(rest.codes, at_once.codes[:, :, before:])
    np.testing.assert_allclose(rest.audio, at_once.audio[:, :, before * 640 :], atol=1e-6)


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_audio_is_continued_from_its_codes_and_overlaps_with_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(kind)
    rng = np.random.default_rng(0)
    sound = Waveform(rng.uniform(-0.5, 0.5, (20 * 640 + 99, 2)).astype(np.float32), 32_000)
    asked = replace(GREEDY, seconds=0.4, continue_from=sound, overlap_steps=5)
    made = joined_chunks(engine, asked)
    assert made.codes.shape == (1, engine.num_codebooks, 25)
    assert made.audio.shape == (1, engine.audio_channels, 25 * 640)
    known = encode(engine._checkpoint, sound)
    assert known.shape == (engine.num_codebooks, 20)
    assert np.array_equal(made.codes[0, :, :5], known[:, -5:])
    from_codes = joined_chunks(engine, replace(asked, continue_from=known, overlap_steps=0))
    assert np.array_equal(made.codes[0, :, 5:], from_codes.codes[0])
    np.testing.assert_allclose(made.audio[:, :, 5 * 640 :], from_codes.audio, atol=1e-6)
    # The codec's own version of the last frames, up to where it depends on what comes next.
    decoded = engine.reconstruct(Waveform(sound.samples[99:], 32_000)).samples.T
    np.testing.assert_allclose(
        made.audio[0, :, : 5 * 640 - 2402], decoded[:, 15 * 640 : -2402], atol=1e-5
    )
    reference = engine.as_reference().generate(asked)[0]
    np.testing.assert_allclose(reference.samples.T, made.audio[0], atol=1e-5)


def test_an_overlap_needs_that_much_to_continue(stereo: Engine) -> None:
    short = np.zeros((8, 4), dtype=np.int64)
    with pytest.raises(BadArgument, match="overlap steps 5: 4 are continued"):
        stereo.generate(replace(GREEDY, continue_from=short, overlap_steps=5))
    with pytest.raises(BadArgument, match="nothing is continued"):
        replace(GREEDY, overlap_steps=5)
    with pytest.raises(BadArgument, match=r"640 frames .* got 639"):
        stereo.stream(
            replace(GREEDY, continue_from=Waveform(np.zeros((639, 1), np.float32), 32_000))
        )


def test_codes_to_continue_from_must_fit_the_model(mono: Engine, stereo: Engine) -> None:
    made = codes(stereo, GREEDY)[0]
    with pytest.raises(BadArgument, match=r"\[4, steps\].*got \[8, 25\]"):
        mono.generate(replace(GREEDY, continue_from=made))
    with pytest.raises(BadArgument, match=r"0 to 63 .*up to 64"):
        stereo.stream(replace(GREEDY, continue_from=np.full((8, 4), 64)))


def test_continued_codes_count_towards_the_longest_piece(stereo: Engine) -> None:
    request = Request(seconds=590, continue_from=np.zeros((8, 501), dtype=np.int64))
    with pytest.raises(
        Unsupported, match=r"10\.02 seconds to continue from and 590 seconds more: .* 600 seconds"
    ):
        stereo.generate(request)
    with pytest.raises(Unsupported):
        stereo.generate([GREEDY, request])


def test_audio_that_is_too_long_to_continue_is_refused_before_it_is_encoded(
    stereo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.engine.codec.encode", lambda checkpoint, audio: pytest.fail())
    sound = Waveform(np.zeros((600, 1), dtype=np.float32), 1)
    with pytest.raises(Unsupported, match=r"600 seconds to continue from and 1 seconds more"):
        stereo.generate(Request(seconds=1, continue_from=sound))


def test_the_reference_makes_one_window_at_most(stereo: Engine) -> None:
    reference = stereo.as_reference()
    with pytest.raises(Unsupported, match=r"30\.02 seconds: one window is 30 seconds"):
        reference.generate(Request(seconds=30.02))
    with pytest.raises(Unsupported, match=r"20 seconds more: one window is 30 seconds"):
        reference.stream(Request(seconds=20, continue_from=np.zeros((8, 501), dtype=np.int64)))


def test_the_engine_must_be_one_of_two(stereo_folder: Path) -> None:
    with pytest.raises(BadArgument, match=r"engine 'fast': give stream or reference"):
        load(stereo_folder, engine="fast")  # type: ignore[arg-type]


def test_progress_rises_to_one_over_all_requests(stereo: Engine) -> None:
    shares: list[float] = []
    stereo.generate([replace(SAMPLED, variations=2), GREEDY], progress=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.02 and shares[-1] == 1.0
    # One report a step, of two batches; the variations share a batch.
    assert len(shares) == 2 * (25 + 3)


@pytest.mark.parametrize("step", [1, 5, 20])
def test_a_cancelled_stream_stops_within_a_step(stereo: Engine, step: int) -> None:
    shares: list[float] = []

    def cancel_from_another_thread(done: float) -> None:
        shares.append(done)
        if len(shares) == step:
            thread = threading.Thread(target=stream.cancel)
            thread.start()
            thread.join()

    request = replace(SAMPLED, variations=2)
    with stereo.stream(request, progress=cancel_from_another_thread) as stream:
        with pytest.raises(Cancelled):
            list(stream)
        assert list(stream) == []
    assert len(shares) == step


def test_a_stream_cancelled_before_its_first_chunk_makes_nothing(stereo: Engine) -> None:
    shares: list[float] = []
    stream = stereo.stream(SAMPLED, progress=shares.append)
    stream.cancel()
    with pytest.raises(Cancelled):
        next(stream)
    assert shares == []


def test_a_stream_that_waits_for_its_turn_can_be_cancelled(stereo: Engine) -> None:
    """The first stream continues only after the second one has been cancelled."""
    began, cancelled = threading.Event(), threading.Event()

    def hold(done: float) -> None:
        began.set()
        assert cancelled.wait(60)

    with stereo.stream(SAMPLED, progress=hold) as first:
        thread = threading.Thread(target=lambda: list(first))
        thread.start()
        assert began.wait(60)
        shares: list[float] = []
        second = stereo.stream(SAMPLED, progress=shares.append)
        threading.Timer(0.1, second.cancel).start()
        with pytest.raises(Cancelled):
            next(second)
        assert shares == []
        cancelled.set()
        thread.join(60)
    assert not thread.is_alive()


def test_cancelling_a_finished_stream_does_nothing(stereo: Engine) -> None:
    with stereo.stream(SAMPLED) as stream:
        assert len(list(stream)) > 1
        stream.cancel()
        assert list(stream) == []


def test_the_first_chunk_is_a_step_as_early_as_delays_and_codec_allow(stereo: Engine) -> None:
    """A step of audio needs 2402 more frames of codes, and these three more steps of tokens."""
    steps: list[float] = []
    with stereo.stream(SAMPLED, progress=steps.append) as stream:
        sizes = [next(stream).codes.shape[2]]
        needed = math.ceil((640 + 2402) / 640) + 3
        assert len(steps) == needed
        sizes += [chunk.codes.shape[2] for chunk in stream]
    assert sizes[:4] == [1, 1, 2, 4]
    assert sum(sizes) == 25


def test_what_has_enough_ends_there_and_is_the_beginning_of_the_whole(stereo: Engine) -> None:
    requests = [SAMPLED, replace(GREEDY, variations=2, prompt="lo-fi drums bass")]
    requests.append(replace(SAMPLED, seconds=0.3))
    whole = stereo.generate(requests)
    frames: dict[int, int] = {}

    def has_enough(numbers: Sequence[int], audio: NDArray[np.float32]) -> bool:
        for number, samples in zip(numbers, audio, strict=True):
            frames[number] = frames.get(number, 0) + samples.shape[1]
        return frames[numbers[0]] >= 5000

    made = stereo.generate(requests, on_audio=has_enough)
    assert sorted(frames) == [0, 1, 2, 3]
    assert [len(waveforms) for waveforms in made] == [1, 2, 1]
    pairs = [
        (one, piece)
        for waveforms, pieces in zip(made, whole, strict=True)
        for one, piece in zip(waveforms, pieces, strict=True)
    ]
    for number, (one, piece) in enumerate(pairs):
        assert 5000 <= one.frames == frames[number] < piece.frames
        assert np.array_equal(one.samples, piece.samples[: one.frames])


def test_nothing_is_made_before_it_is_asked_for(stereo: Engine) -> None:
    steps: list[float] = []
    with stereo.stream(SAMPLED, progress=steps.append) as stream:
        assert steps == []
        next(stream)
        made = len(steps)
        stereo.generate(GREEDY)  # Another request between two chunks.
        assert len(steps) == made


def test_two_streams_take_turns_and_do_not_change_each_other(stereo: Engine) -> None:
    requests = [SAMPLED, replace(SAMPLED, seed=12)]
    alone = [joined_chunks(stereo, request) for request in requests]
    with stereo.stream(requests[0]) as first, stereo.stream(requests[1]) as second:
        pairs = list(zip(first, second, strict=True))
    for index, expected in enumerate(alone):
        chunks = Chunk.joined([pair[index] for pair in pairs])
        assert np.array_equal(chunks.codes, expected.codes)
        assert np.array_equal(chunks.audio, expected.audio)


def test_more_variations_than_a_batch_holds_come_at_once(stereo: Engine) -> None:
    request = replace(SAMPLED, seconds=0.1, variations=LARGEST_BATCH + 2)
    with stereo.stream(request) as stream:
        (chunk,) = list(stream)
    assert chunk.codes.shape == (LARGEST_BATCH + 2, 8, 5)
    last = joined_chunks(
        stereo, replace(request, variations=1, seed=request.seed + LARGEST_BATCH + 1)
    )
    assert np.array_equal(chunk.codes[-1], last.codes[0])
    assert np.array_equal(chunk.audio[-1], last.audio[0])


def test_a_piece_of_several_windows_is_continuous(
    stereo: Engine, melody: NDArray[np.float32]
) -> None:
    """A complete piece equals one continued from any of its codes, across windows."""
    request = replace(SAMPLED, melody=melody, seconds=66.0)
    piece = joined_chunks(stereo, request)
    assert piece.codes.shape == (1, 8, 3300)
    assert piece.audio.shape == (1, 2, 3300 * 640)
    start = codes(stereo, replace(request, seconds=30.0))
    # Except the last three steps, where the shorter piece ends.
    assert np.array_equal(start[:, :, :1497], piece.codes[:, :, :1497])
    for before in (1400, 1700, 2400):
        rest = replace(
            request, seconds=(3300 - before) / 50, continue_from=piece.codes[0, :, :before]
        )
        made = joined_chunks(stereo, rest)
        assert np.array_equal(made.codes, piece.codes[:, :, before:])
        np.testing.assert_allclose(made.audio, piece.audio[:, :, before * 640 :], atol=1e-6)


def test_a_later_window_follows_its_own_part_of_the_melody(stereo: Engine) -> None:
    """The codes carried over are the same; only the melody at the second window's end differs."""
    classes = np.zeros(400, dtype=np.int64)
    other = classes.copy()
    other[140 + 234] = 7  # The last step of the second window; the first one ends before it.
    one, two = (
        codes(stereo, replace(GREEDY, melody=one_hot(line), seconds=40.0))
        for line in (classes, other)
    )
    assert np.array_equal(one[:, :, :1500], two[:, :, :1500])
    assert not np.array_equal(one, two)


def test_a_cancel_takes_effect_between_the_parts_of_a_windows_prefill(
    stereo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefilling 12 s of codes before the first step takes longer than a cancel may take."""
    decoder = stereo.pipeline.decoder
    events: list[int | str] = []
    prefill = decoder.prefill

    def recording_prefill(states: torch.Tensor, *others: Any) -> None:
        events.append(states.shape[1])
        prefill(states, *others)

    monkeypatch.setattr(decoder, "prefill", recording_prefill)
    rows = stereo._rows(replace(GREEDY, seconds=31.0, variations=2))
    piece = Piece(stereo.pipeline, rows, 1550)
    while not piece.done:
        piece.next_chunk(lambda share: None, lambda: events.append("check"))
    piece.close()
    carried = [(before, now) for before, now in pairwise(events) if now != "check"][1:]
    assert all(before == "check" for before, _ in carried)
    # The shared prefix, then the known codes of each variation.
    assert [now for _, now in carried] == [238, *[128, 128, 128, 128, 92] * 2]


def test_a_repeating_melody_moves_on_with_the_window(stereo: Engine) -> None:
    line = np.repeat(np.arange(12), 3)
    once = replace(GREEDY, melody=one_hot(line), seconds=40.0)
    twenty = replace(once, melody=one_hot(np.tile(line, 20)))
    assert np.array_equal(codes(stereo, once), codes(stereo, twenty))


def test_leaving_the_block_cancels_a_stream_that_another_thread_iterates(stereo: Engine) -> None:
    began = threading.Event()
    ended: list[BaseException] = []

    def consume(stream: Stream) -> None:
        try:
            list(stream)
        except Cancelled as error:
            ended.append(error)

    with stereo.stream(replace(SAMPLED, seconds=30), progress=lambda done: began.set()) as stream:
        thread = threading.Thread(target=consume, args=(stream,))
        thread.start()
        assert began.wait(60)
    thread.join(60)
    assert len(ended) == 1


def test_ctrl_c_leaves_an_engine_that_works(stereo: Engine) -> None:
    expected = stereo.generate(SAMPLED)

    def press_ctrl_c(done: float) -> None:
        if done > 0.3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        stereo.generate(SAMPLED, progress=press_ctrl_c)
    assert same(stereo.generate(SAMPLED), expected)


def test_running_out_of_memory_raises_and_leaves_an_engine_that_works(stereo: Engine) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux to limit its own memory")
    import resource

    expected = stereo.generate(SAMPLED)
    with open("/proc/self/statm") as statm:
        in_use = int(statm.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**28, limits[1]))
    try:
        # Attention over such a long prompt takes gigabytes.
        with pytest.raises(OutOfMemory, match=r"0\.5 seconds on cpu"):
            stereo.generate(replace(SAMPLED, prompt="drums " * 20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert same(stereo.generate(SAMPLED), expected)
