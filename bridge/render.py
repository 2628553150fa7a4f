"""One render, from options to clips on disk: melody, engine, clip and delivery, wired.

`prepare` finds whatever is wrong with what was asked, without torch; `render` does the work.
Nothing is on disk until every clip is finished, and then it is all of them or none.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__, interrupts, outputs
from bridge.chroma import WINDOW_SECONDS, pitch_classes, similarity
from bridge.config import DEFAULT_METER, DEFAULT_TEMPO_BPM, MAX_SEED, Options, fill_prompt
from bridge.errors import Unsupported
from bridge.melody import Placed, place, read_melody
from bridge.timing import Meter, Take, bars_to_seconds

if TYPE_CHECKING:
    from bridge.clip import FinishedClip

Progress = Callable[[str, float | None], None]
"""Told what is being done, and how much of it, 0…1, None where that is not known."""

DEMO_MELODY = Path(__file__).parent / "data" / "twinkle-hum-100bpm.flac"
DEMO_SEED = 7


@dataclass(frozen=True, eq=False)
class Plan:
    """A render that nothing stands against any more, as far as can be told without the model.

    Attributes:
        options: what was asked for.
        take: the melody as it was read; None: none.
        placed: the melody on the clip's bars; None: none.
        tempo_bpm, meter: the clip's.
        prompt: as the model gets it; None: none.
        seed: of the first variation.
        out: where the clips go.
    """

    options: Options
    take: Take | None
    placed: Placed | None
    tempo_bpm: Fraction
    meter: Meter
    prompt: str | None
    seed: int
    out: outputs.Destination

    @property
    def clip_seconds(self) -> Fraction:
        """Exact duration of one clip."""
        return bars_to_seconds(self.options.bars, self.meter, self.tempo_bpm)

    @property
    def told(self) -> tuple[str, ...]:
        """What was cut, repeated or scaled of the melody, a sentence each."""
        return self.placed.told if self.placed is not None else ()


@dataclass(frozen=True)
class RenderedClip:
    """One clip on disk, with what was measured of it.

    Attributes:
        path: absolute.
        frames: per channel, exactly the bars asked for.
        melody_similarity: 0…1; None without a melody.
        beat_offset_ms: median distance of its onsets from the sixteenth grid; None without any.
    """

    path: Path
    frames: int
    sample_rate: int
    channels: int
    bars: int
    tempo_bpm: float
    meter: str
    seed: int
    prompt: str | None
    model: str
    melody_similarity: float | None
    beat_offset_ms: float | None

    def as_json(self) -> dict[str, Any]:
        """Its fields, of types that JSON has."""
        return {**vars(self), "path": str(self.path)}

    def summary(self) -> str:
        """What a musician wants to know, in one line."""
        bars = "1 bar" if self.bars == 1 else f"{self.bars} bars"
        parts = [f"{bars} of {self.meter} at {self.tempo_bpm:g} bpm", f"seed {self.seed}"]
        if self.melody_similarity is not None:
            parts.append(f"melody similarity {self.melody_similarity:.2f}")
        if self.beat_offset_ms is not None:
            parts.append(f"onsets {self.beat_offset_ms:.0f} ms from the grid")
        return ", ".join(parts)


@dataclass(frozen=True)
class Rendered:
    """What a render made.

    Attributes:
        clips: the one most like the melody first.
        seconds: generating and finishing took; loading and writing apart.
        realtime_factor: seconds of clips made in one second.
        device: what the model ran on.
        plot: the picture, if one was asked for.
        told: what the listener should know of the clips, a sentence each.
    """

    clips: tuple[RenderedClip, ...]
    seconds: float
    realtime_factor: float
    device: str
    plot: Path | None
    told: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "clips": [clip.as_json() for clip in self.clips],
            "seconds": round(self.seconds, 3),
            "realtime_factor": round(self.realtime_factor, 3),
            "device": self.device,
        }


def demo_options(out: Path = Path("melody-bridge-demo"), plot: Path | None = None) -> Options:
    """The bundled hum, four bars at the tempo it was hummed at, by the embedded model."""
    return Options(
        melody=DEMO_MELODY,
        melody_tempo_bpm=Fraction(100),
        tempo_bpm=Fraction(100),
        key="C major",
        prompt="warm electric piano, bass and lo-fi drums, lo-fi, {tempo} bpm, {key}",
        preset="demo",
        seed=DEMO_SEED,
        out=out,
        plot=plot,
    )


def prepare(options: Options) -> Plan:
    """Read the melody and settle tempo, meter, prompt, seed and destination.

    Raises:
        BadArgument: the destination cannot be, or the prompt asks for a key that is not given.
        UnreadableFile, SilentMelody: the melody cannot be followed.
        Unsupported: the clip is longer than one window, or there is no matplotlib to draw with.
    """
    out = outputs.destination(options.out)
    if options.plot is not None:
        outputs.check_plot(options.plot)
    take = None
    if options.melody is not None:
        take = read_melody(options.melody, tempo_bpm=options.melody_tempo_bpm)
    tempo_bpm, meter = _time(options, take)
    _check_window(options.bars, tempo_bpm, meter)
    prompt = options.prompt
    if prompt is not None:
        prompt = fill_prompt(prompt, tempo_bpm=tempo_bpm, key=options.key)
    seed = options.seed
    if seed is None:
        seed = secrets.randbelow(MAX_SEED - options.variations + 2)
    placed = None
    if take is not None:
        placed = place(take, bars=options.bars, tempo_bpm=tempo_bpm, meter=meter)
    return Plan(options, take, placed, tempo_bpm, meter, prompt, seed, out)


def render(plan: Plan, *, progress: Progress = lambda doing, share: None) -> Rendered:
    """Generate the plan's clips, finish them, and write them.

    Raises:
        BadArgument, CheckpointUnusable: the model or device cannot be used.
        OutOfMemory, DiskFull: and nothing is left on disk.
        interrupts.Interrupted: a signal came while writing, and nothing is left on disk.
    """
    from bridge.clip import finish, rank, surplus_seconds
    from bridge.engine import Request, load

    options = plan.options
    progress(f"loading {options.model}", None)
    engine = load(options.model, device=options.device)
    surplus = surplus_seconds(options.bars, plan.tempo_bpm, plan.meter)
    request = Request(
        prompt=plan.prompt,
        melody=plan.placed.chroma if plan.placed is not None else None,
        # Where the clip leaves no room in the window, less than the whole surplus has to do.
        seconds=min(float(plan.clip_seconds) + surplus, WINDOW_SECONDS),
        seed=plan.seed,
        guidance_scale=options.guidance_scale,
        temperature=options.temperature,
        top_k=options.top_k,
        do_sample=not options.greedy,
        variations=options.variations,
    )
    start = time.perf_counter()
    progress("generating", 0.0)
    waveforms = engine.generate(request, progress=lambda share: progress("generating", share))
    progress("finishing", None)
    finished = [
        finish(
            waveform,
            bars=options.bars,
            tempo_bpm=plan.tempo_bpm,
            meter=plan.meter,
            sample_rate=options.sample_rate,
            melody_classes=plan.placed.classes if plan.placed is not None else None,
        )
        for waveform in waveforms
    ]
    seconds = time.perf_counter() - start
