"""One plan becomes clips on disk: engine, clip and delivery, wired.

Nothing is on disk until every clip is finished, and then it is all of them or none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__, interrupts, outputs
from bridge.chroma import WINDOW_SECONDS
from bridge.delivery import clip_name, write_clip
from bridge.plan import Plan

if TYPE_CHECKING:
    from bridge.clip import FinishedClip
    from bridge.engine import Engine

Progress = Callable[[str, float | None], None]
"""Told what is being done, and how much of it, 0…1, None where that is not known."""


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


def render(plan: Plan, *, progress: Progress = lambda doing, share: None) -> Rendered:
    """Generate the plan's clips, finish them, and write them.

    Raises:
        BadArgument, CheckpointUnusable: the model or device cannot be used.
        OutOfMemory, DiskFull: and nothing is left on disk.
        interrupts.Interrupted: a signal came while writing, and nothing is left on disk.
    """
    from bridge.engine import Request, load

    options = plan.options
    progress(f"loading {options.model}", None)
    engine = load(options.model, device=options.device)
    # After the engine, which refuses a model that is not there: this too takes a while to import.
    from bridge.clip import finish, rank, surplus_seconds

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
    ranked = rank(
        [clip.waveform for clip in finished],
        plan.placed.classes if plan.placed is not None else None,
    )
    seconds = time.perf_counter() - start
    made = [
        _Made(plan.seed + one.index, finished[one.index], one.melody_similarity) for one in ranked
    ]
    return Rendered(
        clips=_write(plan, made, engine),
        seconds=seconds,
        realtime_factor=float(plan.clip_seconds) * options.variations / seconds,
        device=engine.device,
        plot=plan.options.plot,
        # Several variations may all have lacked a pulse: that is told once.
        told=tuple(dict.fromkeys(sentence for clip in finished for sentence in clip.told)),
    )


@dataclass(frozen=True, eq=False)
class _Made:
    """A clip before it is written; `melody_similarity` is NaN without a melody."""

    seed: int
    finished: FinishedClip
    melody_similarity: float


def _write(plan: Plan, made: list[_Made], engine: Engine) -> tuple[RenderedClip, ...]:
    """All clips and the picture, or none of it."""
    options = plan.options
    title = options.preset or (options.melody and options.melody.stem) or plan.prompt or "free"
    picture = _picture(plan, made[0]) if plan.options.plot is not None else None
    clips = []
    with outputs.all_or_nothing() as written:
        written.folder(outputs.clip_folder(plan.out))
        for one in made:
            clip = _described(plan, one, engine.model_name)
            path = write_clip(
                plan.out,
                one.finished.waveform,
                _recipe(plan, clip, one.finished, engine),
                name=clip_name(title, tempo_bpm=plan.tempo_bpm, bars=options.bars, seed=one.seed),
                bars=options.bars,
                tempo_bpm=plan.tempo_bpm,
                meter=plan.meter,
            )
            written.file(path)
            written.file(path.with_suffix(".json"))
            interrupts.check()
            clips.append(replace(clip, path=path))
        if plan.options.plot is not None and picture is not None:
            outputs.write_picture(plan.options.plot, picture, written)
    return tuple(clips)


def _described(plan: Plan, made: _Made, model: str) -> RenderedClip:
    waveform = made.finished.waveform
    similar = made.melody_similarity
    return RenderedClip(
        path=plan.out,
        frames=waveform.frames,
        sample_rate=waveform.sample_rate,
        channels=waveform.channels,
        bars=plan.options.bars,
        tempo_bpm=float(plan.tempo_bpm),
        meter=str(plan.meter),
        seed=made.seed,
        prompt=plan.prompt,
        model=model,
        melody_similarity=None if math.isnan(similar) else similar,
        beat_offset_ms=made.finished.beat_offset_ms,
    )


def _recipe(
    plan: Plan, clip: RenderedClip, finished: FinishedClip, engine: Engine
) -> dict[str, Any]:
    """What the sidecar holds: all that makes the clip again, and what was found of it."""
    options = plan.options
    described = clip.as_json()
    # The sidecar lies beside the clip, and moves with it.
    del described["path"]
    return {
        **described,
        "made_by": f"melody-bridge {__version__}",
        "model": _lasting(engine.model_name),
        "melody": options.melody and options.melody.absolute(),
        "melody_tempo_bpm": plan.take and plan.take.tempo_bpm,
        # Exact, where the one that is printed is the nearest float.
        "tempo_bpm": plan.tempo_bpm,
        "preset": options.preset,
        "key": options.key,
        "revision": engine.revision,
        "guidance_scale": options.guidance_scale,
        "temperature": options.temperature,
        "top_k": options.top_k,
        "greedy": options.greedy,
        "unconditional": options.unconditional,
        "device": engine.device,
        "fitted": finished.fitted,
        "stretch_ratio": finished.stretch_ratio,
        "source_offset_seconds": finished.source_offset_seconds,
        "loudness_lufs": finished.loudness_lufs,
        "true_peak_dbtp": finished.true_peak_dbtp,
        "told": [*plan.told, *finished.told],
    }


def _lasting(model: str) -> str:
    """A model's name as it can be given from any folder."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if model != "pocket" and folder.is_dir() else model


def _picture(plan: Plan, best: _Made) -> bytes:
    """The melody beside the best clip, its notes outlined in the clip's chromagram."""
    from bridge.plot import Column, draw

    bars = plan.options.bars
    columns = []
    if plan.take is not None:
        tempo_bpm = plan.take.tempo_bpm or plan.tempo_bpm
        columns.append(
            Column(f"melody: {plan.take.name}", plan.take.source, tempo_bpm, plan.meter, bars)
        )
    title = f"clip: seed {best.seed}"
    if plan.placed is not None:
        title += f", melody similarity {best.melody_similarity:.2f}"
    columns.append(
        Column(
            title,
            best.finished.waveform,
            plan.tempo_bpm,
            plan.meter,
            bars,
            plan.placed.classes if plan.placed is not None else None,
        )
    )
    return draw(columns)
