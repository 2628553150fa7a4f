"""`melody-bridge eval`: how well a checkpoint follows melody, tempo, prompt, form and stereo.

It runs any checkpoint over hums and plucks of tunes that `pocket` was never trained on, in many
keys, with fixed seeds, sampling at guidance 3. It measures the generated audio before any fitting,
except in the row that says otherwise. The result is a table of figures. With `--hums` or
`--recordings` it measures the transcription instead (`bridge.tools.hums`).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bridge.audio import MODEL_SAMPLE_RATE, Waveform
from bridge.chroma import pitch_classes, similarity
from bridge.clip import EarlyEnd, FinishedClip, finish, rank, surplus_seconds
from bridge.clip.clicks import find_clicks
from bridge.clip.gaps import longest_gap_seconds
from bridge.clip.loudness import loudness_lufs
from bridge.clip.onsets import find_onsets
from bridge.config import OPTIONS, Options, fill_prompt, read_value
from bridge.config.flags import add_flag
from bridge.config.presets import bundled_folder, read_preset
from bridge.melody import AlignedMelody
from bridge.pocket.corpus import HELD_OUT_SEEDS, render
from bridge.rendering.early_ends import beginnings, look
from bridge.tools import measures
from bridge.tools.evaluate_cases import BARS, Case, melodies
from bridge.tools.figures import Figure, as_table, figures_as_json, mean, share

if TYPE_CHECKING:
    from bridge.engine import Engine

GUIDANCE_SCALE = 3.0
CLICK_BARS = 2
SAMPLING = ("guidance_scale", "temperature", "top_k", "top_p")
"""What a preset may say of its sampling."""
_, CODEC_SEED = HELD_OUT_SEEDS
LONG_SECONDS = 24.0
SPEED_SECONDS = 8.0
TEMPO_SHARE = 0.03
BAR_LINE_SECONDS = 0.03
LONGEST_GAP_SECONDS = 1.0
MOST_FADE_DB = 6.0
SIDE_OVER_MID_DB = (-30.0, -3.0)

Report = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--model", default="pocket", help="as for render (%(default)s)")
    parser.add_argument(
        "--engine",
        choices=("stream", "reference"),
        default="stream",
        help="the bridge's own, or transformers' generate (%(default)s)",
    )
    add_flag(parser, "precision")
    parser.add_argument(
        "--hums",
        action="store_true",
        help="measure how well made hums become the notes that they mean; no checkpoint is needed",
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="with --hums: other tunes and voices, on which no threshold was chosen",
    )
    parser.add_argument(
        "--recordings",
        metavar="FOLDER",
        help="measure how well recordings of people are heard: beside each a .txt file of the same "
        "name with the start, the end and the MIDI note number of each note, a line a note",
    )
    parser.add_argument("--short", action="store_true", help="fewer clips, a rougher figure")
    parser.add_argument(
        "--variations",
        metavar="N",
        default=1,
        help="of each melody; prints the best of them beside their mean (1 to 16; %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; return 0, also where a figure misses its floor: the table says so.

    Raises:
        BadArgument, UnreadableFile: the recordings or their notes cannot be read.
        BridgeError: as `bridge.engine.load`.
    """
    if arguments.recordings is not None:
        from bridge.tools.hums import recordings

        return recordings.main(Path(arguments.recordings).expanduser(), as_json=arguments.json)
    if arguments.hums or arguments.held_out:
        from bridge.tools.hums import measure

        return measure.main(
            short=arguments.short, held_out=arguments.held_out, as_json=arguments.json
        )
    from bridge.engine import load
    from bridge.engine.threads import let_idle_threads_sleep

    precision = read_value("precision", arguments.precision or OPTIONS["precision"].default)
    variations = read_value("variations", arguments.variations)
    let_idle_threads_sleep()
    console = Console(stderr=True)
    figures = evaluate(
        load(arguments.model, engine=arguments.engine, precision=precision),
        clips=8 if arguments.short else 32,
        variations=variations,
        report=lambda line: console.print(line, highlight=False),
    )
    measured = {
        "model": arguments.model,
        "engine": arguments.engine,
        "precision": precision,
        "variations": variations,
    }
    if arguments.json:
        print(figures_as_json(measured, figures))
    else:
        title = f"{arguments.model}, {arguments.engine}, {precision}, guidance {GUIDANCE_SCALE:g}"
        Console().print(as_table(title, variations, figures))
    return 0


def evaluate(
    engine: Engine, *, clips: int, variations: int = 1, report: Report = lambda line: None
) -> list[Figure]:
    """Measure a checkpoint.

    Args:
        engine: the loaded checkpoint.
        clips: number of melodies to follow; the other figures take a share of it.
        variations: clips of each melody. From 2 on, the parts of their scores are figures too, and
            all other figures are those of the first variations.
        report: called with a line for every part of the work.
    """
    cases = list(melodies(clips))
    report(f"{len(cases)} melodies to follow")
    generated = [_generate_case(engine, case, variations) for case in cases]
    waveforms = [first for first, *_ in generated]
    figures = [*_following(cases, waveforms), *_timing(cases, waveforms)]
    figures += [_stereo(waveforms), _loudness(waveforms)]
    if variations > 1:
        report(f"the best of {variations} variations")
        figures += _best_of(cases, generated)
    report("drums against no drums")
    figures.append(_drums(engine, cases[: max(4, clips // 3)]))
    report("every preset, for clicks")
    figures += _clicks(engine, cases, seeds=max(1, clips // 4))
    report("24 seconds at a time")
    figures.append(_form(engine, cases[: max(4, clips // 3)]))
    report("the codec alone, and speed")
    figures += [_codec(engine, max(8, clips)), _speed(engine, cases[0])]
    return figures


def _generate_case(engine: Engine, case: Case, variations: int) -> list[Waveform]:
    """Generate a case's variations with their surplus."""
    seconds = case.seconds + surplus_seconds(BARS, case.tempo_bpm, case.meter)
    return _variations(engine, case.sound, case.aligned, seconds, case.seed, variations=variations)


def _generate(
    engine: Engine,
    prompt: str,
    aligned: AlignedMelody,
    seconds: float,
    seed: int,
    **sampling: Any,
) -> Waveform:
    return _variations(engine, prompt, aligned, seconds, seed, **sampling)[0]


def _variations(
    engine: Engine,
    prompt: str,
    aligned: AlignedMelody,
    seconds: float,
    seed: int,
    *,
    guidance_scale: float = GUIDANCE_SCALE,
    **sampling: Any,
) -> list[Waveform]:
    from bridge.engine import Request

    request = Request(
        prompt=prompt,
        melody=aligned.chroma,
        seconds=min(seconds, 30.0),
        seed=seed,
        guidance_scale=guidance_scale,
        **sampling,
    )
    return engine.generate(request)


def _following(cases: list[Case], waveforms: list[Waveform]) -> list[Figure]:
    generated = [
        pitch_classes(
            Waveform(
                waveform.samples[: round(case.seconds * waveform.sample_rate)],
                waveform.sample_rate,
            )
        )
        for case, waveform in zip(cases, waveforms, strict=True)
    ]
    own = [
        similarity(classes, case.aligned.classes)
        for classes, case in zip(generated, cases, strict=True)
    ]
    others = [
        similarity(classes, other.aligned.classes)
        for classes, case in zip(generated, cases, strict=True)
        for other in cases
        if other is not case
    ]
    return [
        Figure("melody similarity", mean(own), 0.70, False, len(own)),
        Figure("similarity to other melodies", mean(others), 0.20, True, len(own)),
    ]


def _timing(cases: list[Case], waveforms: list[Waveform]) -> list[Figure]:
    right_tempo, on_lines = [], []
    for case, waveform in zip(cases, waveforms, strict=True):
        if not case.has_drums:
            continue
        onsets = find_onsets(waveform)
        tempo_bpm = measures.tempo_of(
            onsets.strength, onsets.step_seconds, float(case.meter.beats_per_bar)
        )
        ratio = tempo_bpm / float(case.tempo_bpm)
        right_tempo.append(
            any(abs(ratio / octave - 1) <= TEMPO_SHARE for octave in (0.5, 1.0, 2.0))
        )
        clip = _finished(case, waveform).waveform
        times = find_onsets(clip, loops=True).times
        last_line = case.seconds * (BARS - 1) / BARS
        on_lines += [
            bool(np.any(_distance(times, line, case.seconds) <= BAR_LINE_SECONDS))
            for line in (0.0, last_line)
        ]
    return [
        Figure(
            "tempo within 3 % before fitting", share(right_tempo), 0.80, False, len(right_tempo)
        ),
        Figure(
            "bar lines within 30 ms after fitting", share(on_lines), 0.80, False, len(right_tempo)
        ),
    ]


def _best_of(cases: list[Case], generated: list[list[Waveform]]) -> list[Figure]:
    """Each part of the clips' scores: its mean, and its mean over the best of each melody."""
    weights = Options(unconditional=True).rank_weights()
    all_parts, best_parts = [], []
    for case, variations in zip(cases, generated, strict=True):
        scores = [_finished(case, waveform).score for waveform in variations]
        all_parts += [score.as_json() for score in scores]
        best_parts.append(scores[rank(scores, weights)[0]].as_json())
    return [
        Figure(
            f"score of variations: {part}",
            _mean_of(all_parts, part),
            floor=None,
            at_most=False,
            clips=len(all_parts),
            best=_mean_of(best_parts, part),
        )
        for part in all_parts[0]
    ]


def _mean_of(scores: list[dict[str, float | None]], part: str) -> float:
    values = [score[part] for score in scores]
    return mean([math.nan if value is None else value for value in values])


def _finished(case: Case, waveform: Waveform) -> FinishedClip:
    """A case's clip, at the rate of the model, of as much of the piece as a render makes."""
    end = EarlyEnd(
        BARS, case.tempo_bpm, case.meter, case.aligned.classes, piece_seconds=waveform.seconds
    )
    look([waveform], [end])
    (beginning,) = beginnings([waveform], [end])
    return finish(
        beginning,
        bars=BARS,
        tempo_bpm=case.tempo_bpm,
        meter=case.meter,
        sample_rate=MODEL_SAMPLE_RATE,
        melody_classes=case.aligned.classes,
        end=end,
    )


def _distance(times: NDArray[np.float64], line: float, length: float) -> NDArray[np.float64]:
    """Distance in seconds on the loop, whose end is its start."""
    return np.asarray(np.abs((times - line + length / 2) % length - length / 2))


def _stereo(waveforms: list[Waveform]) -> Figure:
    low, high = SIDE_OVER_MID_DB
    inside = [low <= measures.side_over_mid_db(waveform) <= high for waveform in waveforms]
    return Figure("side/mid within -30 and -3 dB", share(inside), 0.90, False, len(waveforms))


def _loudness(waveforms: list[Waveform]) -> Figure:
    """Mean loudness as made, in LUFS; of silence nothing can be measured."""
    loud = [value for each in waveforms if (value := loudness_lufs(each)) is not None]
    return Figure("loudness as made, LUFS", mean(loud), None, False, len(loud))


def _drums(engine: Engine, cases: list[Case]) -> Figure:
    differs = []
    for case in cases:
        lead = case.sound.split(",")[0]
        percussive = {}
        for words in ("drums", "no drums"):
            prompt = f"{lead}, bass, {words}, {float(case.tempo_bpm):g} bpm"
            waveform = _generate(engine, prompt, case.aligned, case.seconds, case.seed)
            percussive[words] = measures.percussive_share(waveform)
        differs.append(percussive["drums"] > percussive["no drums"])
    return Figure("drums distinguished from no drums", share(differs), 0.90, False, len(differs))


def _clicks(engine: Engine, cases: list[Case], *, seeds: int) -> list[Figure]:
    """Clips of every bundled preset without clicks: as they were made, and as they are delivered.

    Each preset has its own temperature and guidance, and follows another melody at each seed.
    """
    as_made, delivered = [], []
    for index, path in enumerate(sorted(bundled_folder().glob("*.toml"))):
        preset = read_preset(path)
        for seed in range(seeds):
            case = cases[(index + seed) % len(cases)]
            prompt = fill_prompt(preset.prompt, tempo_bpm=case.tempo_bpm, key=None)
            seconds = case.seconds * CLICK_BARS / BARS
            seconds += surplus_seconds(CLICK_BARS, case.tempo_bpm, case.meter)
            sampling = {name: preset.values[name] for name in SAMPLING if name in preset.values}
            waveform = _generate(engine, prompt, case.aligned, seconds, seed, **sampling)
            clip = finish(
                waveform,
                bars=CLICK_BARS,
                tempo_bpm=case.tempo_bpm,
                meter=case.meter,
                sample_rate=MODEL_SAMPLE_RATE,
            )
            as_made.append(clip.clicks == 0)
            delivered.append(not find_clicks(clip.waveform))
    return [
        Figure("presets without clicks as made", share(as_made), None, False, len(as_made)),
        Figure("presets without clicks", share(delivered), 0.99, False, len(delivered)),
    ]


def _form(engine: Engine, cases: list[Case]) -> Figure:
    good = []
    for case in cases:
        waveform = _generate(engine, case.sound, case.aligned, LONG_SECONDS, case.seed)
        has_no_gap = longest_gap_seconds(waveform) <= LONGEST_GAP_SECONDS
        good.append(has_no_gap and abs(measures.fade_db(waveform)) <= MOST_FADE_DB)
    return Figure("24 s without gap or fade", share(good), 0.90, False, len(good))


def _codec(engine: Engine, count: int) -> Figure:
    """Pitch classes that the codec keeps of music that no checkpoint was trained on."""
    kept = []
    for number in range(count):
        audio = render(number, seed=CODEC_SEED, seconds=8.0).audio
        kept.append(similarity(pitch_classes(engine.reconstruct(audio)), pitch_classes(audio)))
    return Figure("codec alone: pitch class kept", mean(kept), 0.90, False, count)


def _speed(engine: Engine, case: Case) -> Figure:
    seconds = []
    for _ in range(2):  # the first run warms up
        start = time.perf_counter()
        _generate(engine, case.sound, case.aligned, SPEED_SECONDS, case.seed)
        seconds.append(time.perf_counter() - start)
    name = f"times real time, 8 s clip on {engine.device}"
    return Figure(name, SPEED_SECONDS / min(seconds), 1.0, False, 1)
