"""Render a plan to clips on disk, through engine, clip and delivery.

Nothing is written until every clip is finished; then all clips are written, or none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bridge import __version__
from bridge.audio import Waveform
from bridge.delivery import clip_name, write_clip
from bridge.process import signals
from bridge.rendering import outputs
from bridge.rendering.plan import RenderPlan
from bridge.timing import bars_text

if TYPE_CHECKING:
    from bridge.clip import FinishedClip
    from bridge.engine import Request

OnStage = Callable[[str, float | None], None]
"""Called with the stage of the work and the share of it that is done, 0…1; None: not known."""


@dataclass(frozen=True)
class RenderedClip:
    """One clip on disk, with its measurements.

    Attributes:
        path: absolute.
        frames: per channel, exactly the bars asked for.
        melody_similarity: 0…1; None without a melody.
        beat_offset_ms: median distance of its onsets from the sixteenth grid; None: no onsets.
        score_parts: the parts of its score by name, each 0…1; None: could not be measured.
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
    score_parts: Mapping[str, float | None]

    def as_json(self) -> dict[str, Any]:
        """The fields, as JSON types."""
        return {**vars(self), "path": str(self.path)}

    def summary(self) -> str:
        """One line for a musician: bars, tempo, seed, similarity, and distance from the grid."""
        parts = [
            f"{bars_text(self.bars)} of {self.meter} at {self.tempo_bpm:g} bpm",
            f"seed {self.seed}",
        ]
        if self.melody_similarity is not None:
            parts.append(f"melody similarity {self.melody_similarity:.2f}")
        if self.beat_offset_ms is not None:
            parts.append(f"onsets {self.beat_offset_ms:.0f} ms from the grid")
        return ", ".join(parts)


@dataclass(frozen=True)
class Rendered:
    """The result of a render.

    Attributes:
        clips: best score first.
        seconds: time for generating and finishing, without loading and writing.
        realtime_factor: seconds of clips made in one second.
        device: what the model ran on.
        plot: the picture; None: none was asked for.
        remarks: what the listener should know of the clips, a sentence each.
    """

    clips: tuple[RenderedClip, ...]
    seconds: float
    realtime_factor: float
    device: str
    plot: Path | None
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "clips": [clip.as_json() for clip in self.clips],
            "seconds": round(self.seconds, 3),
            "realtime_factor": round(self.realtime_factor, 3),
            "device": self.device,
        }


def render(plan: RenderPlan, *, progress: OnStage = lambda doing, share: None) -> Rendered:
    """Generate the plan's clips, finish them, and write them.

    Raises:
        BadArgument, CheckpointUnusable: the model or device cannot be used.
        OutOfMemory, DiskFull: nothing is left on disk.
        signals.Interrupted: a signal came while writing; nothing is left on disk.
    """
    from bridge.engine import load
    from bridge.engine.threads import let_idle_threads_sleep

    let_idle_threads_sleep()
    options = plan.options
    progress(f"loading {options.model}", None)
    engine = load(options.model, device=options.device)
    request = request_for(plan)
    start = time.perf_counter()
    progress("generating", 0.0)
    waveforms = engine.generate(request, progress=lambda share: progress("generating", share))
    progress("finishing", None)
    finished = finish_clips(plan, waveforms)
    seconds = time.perf_counter() - start
    picture = _picture(plan, finished[0]) if options.plot is not None else None
    with signals.held(), outputs.all_or_nothing() as written:
        clips = write_clips(plan, finished, engine, written, after_each=signals.check)
        if options.plot is not None and picture is not None:
            outputs.write_picture(options.plot, picture, written)
        signals.accept()
    return Rendered(
        clips=clips,
        seconds=seconds,
        realtime_factor=float(plan.clip_seconds) * options.variations / seconds,
        device=engine.device,
        plot=plan.options.plot,
        # Several variations may have the same remark, such as a missing pulse: keep it once.
        remarks=tuple(
            dict.fromkeys(remark for clip in finished for remark in clip.finished.remarks)
        ),
    )


class EngineDescription(Protocol):
    """What a sidecar records of the engine; an `Engine` or the facts of its process have it."""

    @property
    def model_name(self) -> str:
        """The name that the model was loaded by."""

    @property
    def revision(self) -> str | None:
        """The model's commit on Hugging Face."""

    @property
    def device(self) -> str:
        """The device that the model runs on."""


@dataclass(frozen=True, eq=False)
class RankedClip:
    """A finished clip, not yet written.

    Attributes:
        seed: its variation's seed.
    """

    seed: int
    finished: FinishedClip

    @property
    def melody_similarity(self) -> float | None:
        """0…1; None without a melody."""
        return self.finished.score.melody

    def with_remark(self, remark: str) -> RankedClip:
        """The same clip with one more remark."""
        remarks = (*self.finished.remarks, remark)
        return replace(self, finished=replace(self.finished, remarks=remarks))


def request_for(plan: RenderPlan) -> Request:
    """The engine's request for a plan."""
    from bridge.engine import Request

    options = plan.options
    return Request(
        prompt=plan.prompt,
        melody=plan.aligned.chroma if plan.aligned is not None else None,
        seconds=plan.piece_seconds,
        seed=plan.seed,
        do_sample=not options.greedy,
        **options.request_values(),
    )


def finish_clips(plan: RenderPlan, waveforms: Sequence[Waveform]) -> list[RankedClip]:
    """Make clips of the engine's waveforms, one a variation; best score first."""
    from bridge.clip import finish, rank, why_last

    finished = [
        finish(
            waveform,
            bars=plan.options.bars,
            tempo_bpm=plan.tempo_bpm,
            meter=plan.meter,
            sample_rate=plan.options.sample_rate,
            melody_classes=plan.aligned.classes if plan.aligned is not None else None,
        )
        for waveform in waveforms
    ]
    weights = plan.options.rank_weights()
    order = rank([clip.score for clip in finished], weights)
    ranked = [RankedClip(plan.seed + index, finished[index]) for index in order]
    remark = why_last([clip.finished.score for clip in ranked], weights)
    if remark is not None:
        ranked[-1] = ranked[-1].with_remark(remark)
    return ranked


def write_clips(
    plan: RenderPlan,
    finished: Sequence[RankedClip],
    engine: EngineDescription,
    written: outputs.Written,
    *,
    after_each: Callable[[], None] = lambda: None,
    recipe: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> tuple[RenderedClip, ...]:
    """Write clips and sidecars, in the order given.

    Args:
        written: records every file and folder, so that they can be removed when one fails.
        after_each: called after each clip; may raise to stop the writing.
        recipe: further fields for the sidecars.
        remarks: sentences about how the clips were made, for the sidecars.

    Raises:
        NotWritable, DiskFull: a file cannot be written.
    """
    options = plan.options
    melody = Path(plan.take.name).stem if plan.take is not None else None
    title = options.preset or melody or plan.prompt or "free"
    clips: list[RenderedClip] = []
    written.folder(outputs.clip_folder(plan.out))
    # The best clip last: it is then the newest file, and comes first where files sort by date.
    for index, ranked in reversed(list(enumerate(finished))):
        clip = _described(plan, ranked, engine.model_name)
        more = {**(recipe or {}), "index": index, "count": len(finished)}
        path = write_clip(
            plan.out,
            ranked.finished.waveform,
            {**_recipe(plan, clip, ranked.finished, engine, remarks), **more},
            name=clip_name(title, tempo_bpm=plan.tempo_bpm, bars=options.bars, seed=ranked.seed),
            bars=options.bars,
            tempo_bpm=plan.tempo_bpm,
            meter=plan.meter,
        )
        written.file(path)
        written.file(path.with_suffix(".json"))
        after_each()
        clips.insert(0, replace(clip, path=path))
    return tuple(clips)


def _described(plan: RenderPlan, ranked: RankedClip, model: str) -> RenderedClip:
    """A clip's description; `path` is the plan's until the clip is written."""
    waveform = ranked.finished.waveform
    return RenderedClip(
        path=plan.out,
        frames=waveform.frames,
        sample_rate=waveform.sample_rate,
        channels=waveform.channels,
        bars=plan.options.bars,
        tempo_bpm=float(plan.tempo_bpm),
        meter=str(plan.meter),
        seed=ranked.seed,
        prompt=plan.prompt,
        model=model,
        melody_similarity=ranked.melody_similarity,
        beat_offset_ms=ranked.finished.beat_offset_ms,
        score_parts=ranked.finished.score.as_json(),
    )


def _recipe(
    plan: RenderPlan,
    clip: RenderedClip,
    finished: FinishedClip,
    engine: EngineDescription,
    remarks: Sequence[str],
) -> dict[str, Any]:
    """The sidecar's fields: everything that makes the clip again, and its measurements."""
    options = plan.options
    described = clip.as_json()
    # No path: the sidecar is beside the clip, and moves with it.
    del described["path"]
    return {
        **described,
        "made_by": f"melody-bridge {__version__}",
        "model": _absolute_model(engine.model_name),
        "melody": options.melody and options.melody.absolute(),
        "melody_tempo_bpm": plan.take and plan.take.tempo_bpm,
        # The exact tempo: `RenderedClip` has the nearest float.
        "tempo_bpm": plan.tempo_bpm,
        **options.sidecar_values(),
        "revision": engine.revision,
        "device": engine.device,
        "fitted": finished.fitted,
        "stretch_ratio": finished.stretch_ratio,
        "source_offset_seconds": finished.source_offset_seconds,
        "loudness_lufs": finished.loudness_lufs,
        "true_peak_dbtp": finished.true_peak_dbtp,
        "remarks": [*remarks, *plan.remarks, *finished.remarks],
    }


def _absolute_model(model: str) -> str:
    """A model's name that holds from any working folder."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if model != "pocket" and folder.is_dir() else model


def _picture(plan: RenderPlan, best: RankedClip) -> bytes:
    """The melody beside the best clip, its notes outlined in the clip's chromagram."""
    from bridge.rendering.picture import Column, draw

    bars = plan.options.bars
    columns = []
    if plan.take is not None:
        tempo_bpm = plan.take.tempo_bpm or plan.tempo_bpm
        source = plan.take.from_first_bar_line().source
        columns.append(Column(f"melody: {plan.take.name}", source, tempo_bpm, plan.meter, bars))
    title = f"clip: seed {best.seed}"
    if best.melody_similarity is not None:
        title += f", melody similarity {best.melody_similarity:.2f}"
    columns.append(
        Column(
            title,
            best.finished.waveform,
            plan.tempo_bpm,
            plan.meter,
            bars,
            plan.aligned.classes if plan.aligned is not None else None,
        )
    )
    return draw(columns)
