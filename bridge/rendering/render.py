"""Render a plan to clips on disk, through engine, clip and delivery.

Nothing is written until every clip is finished; then all clips are written, or none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bridge.audio import Waveform
from bridge.delivery import clip_name, raw_clip_name, write_clip
from bridge.delivery.wav import beside
from bridge.process import signals
from bridge.rendering import outputs
from bridge.rendering.beside_clip import notes_midi, sidecar_fields
from bridge.rendering.continuation import LEVEL_FIELD, OVERLAP_STEPS, level_dbfs
from bridge.rendering.early_ends import early_ends, generated
from bridge.rendering.generator import load_generator
from bridge.rendering.plan import RenderPlan
from bridge.rendering.stems import with_stems
from bridge.timing import bars_text

if TYPE_CHECKING:
    from bridge.clip import EarlyEnd, FinishedClip
    from bridge.commands import Precision
    from bridge.engine import Request

OnStage = Callable[[str, float | None], None]
"""Called with the stage of the work and the share of it that is done, 0…1; None: not known."""


@dataclass(frozen=True)
class RenderedClip:
    """One clip on disk, with its measurements.

    Attributes:
        path: absolute.
        frames: per channel, exactly the bars asked for.
        bars: 0: the clip is raw, as the model made it.
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

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.sample_rate

    def as_json(self) -> dict[str, Any]:
        """The fields, as JSON types."""
        return {**vars(self), "path": str(self.path)}

    def summary(self) -> str:
        """One line for a musician: bars, tempo, seed, similarity, and distance from the grid."""
        length = f"{bars_text(self.bars)} of {self.meter} at {self.tempo_bpm:g} bpm"
        if not self.bars:
            length = f"{self.seconds:.2f} s as the model made them"
        parts = [length, f"seed {self.seed}"]
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
        remarks: what the listener should know beside the plan's remarks, a sentence each.
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


def render(
    plan: RenderPlan,
    *,
    progress: OnStage = lambda doing, share: None,
    recipe: Mapping[str, Any] | None = None,
) -> Rendered:
    """Generate the plan's clips, finish them, and write them.

    Args:
        progress: called as the work goes on.
        recipe: further fields for the sidecars.

    Raises:
        BadArgument, CheckpointUnusable: the model or device cannot be used.
        OutOfMemory, DiskFull: nothing is left on disk.
        signals.Interrupted: a signal came while writing; nothing is left on disk.
    """
    before = plan.remarks
    plan = with_stems(plan, progress)
    options = plan.options
    engine = load_generator(options, lambda doing: progress(doing, None))
    request = request_for(plan)
    start = time.perf_counter()
    progress("generating", 0.0)
    ends = early_ends(plan)
    (waveforms,) = generated(engine, [request], [ends], lambda share: progress("generating", share))
    progress("finishing", None)
    finished = finish_clips(plan, waveforms, ends)
    seconds = time.perf_counter() - start
    picture = None
    if options.plot is not None:
        from bridge.rendering.picture import picture_of

        picture = picture_of(plan, finished[0])
    with signals.held(), outputs.all_or_nothing() as written:
        clips = write_clips(
            plan, finished, engine, written, after_each=signals.check, recipe=recipe
        )
        if options.plot is not None and picture is not None:
            outputs.write_picture(options.plot, picture, written)
        signals.accept()
    return Rendered(
        clips=clips,
        seconds=seconds,
        realtime_factor=sum(clip.seconds for clip in clips) / seconds,
        device=engine.device,
        plot=plan.options.plot,
        # Several variations may have the same remark, such as a missing pulse: keep it once.
        remarks=tuple(
            dict.fromkeys(
                (
                    *engine.remarks,
                    *(remark for remark in plan.remarks if remark not in before),
                    *(remark for clip in finished for remark in clip.finished.remarks),
                )
            )
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

    @property
    def precision(self) -> Precision:
        """How its steps are computed."""

    @property
    def decoder(self) -> str | None:
        """The name of the decoder that replaced the model's own."""


@dataclass(frozen=True, eq=False)
class RankedClip:
    """A finished clip, not yet written.

    Attributes:
        seed: its variation's seed.
        source_level_dbfs: level of what the model made for it.
    """

    seed: int
    finished: FinishedClip
    source_level_dbfs: float

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

    options, clip = plan.options, plan.continued
    melody = plan.aligned.chroma if plan.aligned is not None else None
    if clip is None:
        continued: dict[str, Any] = {}
    else:
        continued = {"continue_from": clip.heard, "overlap_steps": OVERLAP_STEPS}
        if melody is not None:
            melody = melody[clip.first_chroma_step :]
    return Request(
        prompt=plan.prompt,
        melody=melody,
        seconds=plan.piece_seconds,
        seed=plan.seed,
        do_sample=not options.greedy,
        **continued,
        **options.request_values(),
    )


def finish_clips(
    plan: RenderPlan, waveforms: Sequence[Waveform], ends: Sequence[EarlyEnd] = ()
) -> list[RankedClip]:
    """Make clips of the engine's waveforms, one a variation; best score first.

    Args:
        ends: what looking into the waveforms has found; empty: nothing yet.
    """
    from bridge.clip import rank, why_last

    of_each: Sequence[EarlyEnd | None] = ends or [None] * len(waveforms)
    finished = [
        _finished(plan, waveform, end) for waveform, end in zip(waveforms, of_each, strict=True)
    ]
    weights = plan.options.rank_weights()
    order = rank([clip.score for clip in finished], weights)
    ranked = [
        RankedClip(plan.seed + index, finished[index], level_dbfs(waveforms[index]))
        for index in order
    ]
    remark = why_last([clip.finished.score for clip in ranked], weights)
    if remark is not None:
        ranked[-1] = ranked[-1].with_remark(remark)
    return ranked


def _finished(plan: RenderPlan, waveform: Waveform, end: EarlyEnd | None) -> FinishedClip:
    from bridge.clip import finish, finish_raw

    melody_classes = plan.aligned.classes if plan.aligned is not None else None
    if not plan.bars:
        # Tokens need no cut: the engine makes exactly these.
        seconds = plan.options.seconds
        return finish_raw(waveform, seconds=seconds, melody_classes=melody_classes)
    clip = plan.continued
    return finish(
        waveform if clip is None else clip.join(waveform, plan.options.sample_rate),
        bars=plan.bars,
        tempo_bpm=plan.tempo_bpm,
        meter=plan.meter,
        sample_rate=plan.options.sample_rate,
        melody_classes=melody_classes,
        on_grid=clip is not None,
        end=end,
    )


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
    """Write clips, their sidecars and the notes that led, in the order given.

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
    continued = plan.continued and plan.continued.path.stem
    title = options.preset or melody or plan.prompt or continued or "free"
    clips: list[RenderedClip] = []
    notes = notes_midi(plan)
    written.folder(outputs.clip_folder(plan.out))
    # The best clip last: it is then the newest file, and comes first where files sort by date.
    for index, ranked in reversed(list(enumerate(finished))):
        clip = _described(plan, ranked, engine.model_name)
        more = {
            **(recipe or {}),
            LEVEL_FIELD: round(ranked.source_level_dbfs, 2),
            "index": index,
            "count": len(finished),
        }
        path = write_clip(
            plan.out,
            ranked.finished.waveform,
            {**sidecar_fields(plan, clip, ranked.finished, engine, remarks), **more},
            name=_name(plan, title, clip),
            bars=plan.bars,
            tempo_bpm=plan.tempo_bpm,
            meter=plan.meter,
            notes=notes,
        )
        for file in (path, *beside(path)):
            written.file(file)
        after_each()
        clips.insert(0, replace(clip, path=path))
    return tuple(clips)


def _name(plan: RenderPlan, title: str, clip: RenderedClip) -> str:
    if not plan.bars:
        return raw_clip_name(title, seconds=clip.seconds, seed=clip.seed)
    return clip_name(title, tempo_bpm=plan.tempo_bpm, bars=plan.bars, seed=clip.seed)


def _described(plan: RenderPlan, ranked: RankedClip, model: str) -> RenderedClip:
    """A clip's description; `path` is the plan's until the clip is written."""
    waveform = ranked.finished.waveform
    return RenderedClip(
        path=plan.out,
        frames=waveform.frames,
        sample_rate=waveform.sample_rate,
        channels=waveform.channels,
        bars=plan.bars,
        tempo_bpm=float(plan.tempo_bpm),
        meter=str(plan.meter),
        seed=ranked.seed,
        prompt=plan.prompt,
        model=model,
        melody_similarity=ranked.melody_similarity,
        beat_offset_ms=ranked.finished.beat_offset_ms,
        score_parts=ranked.finished.score.as_json(),
    )
