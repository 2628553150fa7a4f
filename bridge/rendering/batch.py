"""Render the rows of a batch, each exactly once, several at a time where the device gains by it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config import Options
from bridge.config.readers import LOCAL_ENGINE
from bridge.engine.process.remote_generator import RemoteGenerator
from bridge.errors import (
    BridgeError,
    DiskFull,
    EngineDied,
    EngineFailed,
    NotAuthorized,
    NotWritable,
)
from bridge.process import signals
from bridge.rendering import outputs
from bridge.rendering.batch_jobs import BatchJob
from bridge.rendering.batch_results import KEY_FIELD, ResultFile, RowResult
from bridge.rendering.early_ends import early_ends, generated
from bridge.rendering.generator import load_generator
from bridge.rendering.plan import RenderPlan, prepare
from bridge.rendering.render import RankedClip, finish_clips, request_for, write_clips
from bridge.rendering.stems import StemsCache, with_stems
from bridge.timing import first_meter, first_tempo

if TYPE_CHECKING:
    from bridge.engine import Engine

TOGETHER = 8
"""Variations that are generated together: the engine's largest batch. On a CPU too: eight clips of
3 s of pocket took 8.2 s of processor time one by one and 4.2 s all together, in ONNX Runtime 6.1
and 3.5 s, and their wall time fell alike (docs/models.md, Batches)."""
MOST_IN_FLIGHT = 32
"""Variations that a server has at a time: two for each of sixteen replicas. The audio of all may be
in memory at once."""
ATTEMPTS = 2
"""How often a row is sent to a server that is lost with it."""
OnProgress = Callable[[str, float | None, int], None]
"""Called with the stage of the work, the share of it that is done, and the rows that are done."""
OnResult = Callable[[RowResult, tuple[str, ...]], None]
"""Called with each new result, and the remarks on it."""


@dataclass(frozen=True)
class BatchSummary:
    """What a run of a batch did.

    Attributes:
        made: rows whose clips it rendered.
        failed: rows that ended with an error in it.
        clips: that it wrote.
        seconds: from the first row to the last, with loading.
        loading_seconds: of these, for loading models.
        loads: how many models it loaded.
    """

    made: int = 0
    failed: int = 0
    clips: int = 0
    seconds: float = 0.0
    loading_seconds: float = 0.0
    loads: int = 0

    @property
    def clips_a_minute(self) -> float:
        """Clips a minute of this run."""
        return 60 * self.clips / self.seconds if self.seconds else 0.0

    @property
    def one_at_a_time(self) -> float:
        """Clips a minute if each row were a `render` of its own, which loads the model again."""
        again = (self.made - self.loads) * self.loading_seconds / self.loads if self.loads else 0.0
        return 60 * self.clips / (self.seconds + again) if self.seconds else 0.0


@dataclass(frozen=True)
class _Row:
    job: BatchJob
    options: Options


def run_batch(
    jobs: Sequence[BatchJob],
    results: ResultFile,
    *,
    flags: Mapping[str, Any],
    defaults: Mapping[str, Any],
    on_progress: OnProgress = lambda doing, share, done: None,
    on_result: OnResult = lambda result, remarks: None,
) -> BatchSummary:
    """Render every row that has no result yet. A row with a mistake gets an error, and is skipped.

    As many rows as make eight variations are generated together; rows of equal length follow each
    other for that. Where they do not fit the memory, they are generated one by one. A server gets
    many rows at once, of any length, for all its replicas.

    Args:
        flags: raw values for rows that leave an option open.
        defaults: likewise, after these.

    Raises:
        NotWritable, DiskFull: no further clip can be written; the results so far are kept.
        BridgeError: the server is gone, stays full, or admits this machine no more; likewise.
        signals.Interrupted: a signal came while a row was written.
    """
    start = time.perf_counter()
    summary = BatchSummary()
    done = len(results.results)

    def end_row(result: RowResult, remarks: tuple[str, ...] = ()) -> None:
        nonlocal done, summary
        done += 1
        summary = replace(
            summary,
            made=summary.made + (result.error is None),
            failed=summary.failed + (result.error is not None),
            clips=summary.clips + len(result.paths),
        )
        on_result(result, remarks)

    rows: list[_Row] = []
    for job in jobs:
        if job.row in results.results:
            continue
        try:
            rows.append(_Row(job, job.options(flags, defaults)))
        except BridgeError as error:
            end_row(_failed(results, job, error))
    if not results.is_new:
        results.adopt([row.job for row in rows], _folders(rows))
        adopted = [row for row in rows if row.job.row in results.results]
        done += len(adopted)
        rows = [row for row in rows if row not in adopted]
    rows.sort(key=_order)
    stems = StemsCache()
    engine: Engine | RemoteGenerator | None = None
    loaded: tuple[Any, ...] | None = None
    for group in _groups(rows):
        first = group[0].options
        if _model(first) != loaded:
            loading = time.perf_counter()
            engine, loaded = None, _model(first)
            try:
                engine = load_generator(first, lambda doing: on_progress(doing, None, done))
            except BridgeError as error:
                if first.engine != LOCAL_ENGINE:
                    # It says nothing about the rows, which can be rendered later.
                    raise
                for row in group:
                    end_row(_failed(results, row.job, error))
                loaded = None
                continue
            summary = replace(
                summary,
                loading_seconds=summary.loading_seconds + time.perf_counter() - loading,
                loads=summary.loads + 1,
            )
        assert engine is not None
        if isinstance(engine, RemoteGenerator):
            _render_remotely(
                group, engine, results, end_row, lambda d, s: on_progress(d, s, done), stems
            )
            continue
        pending = group
        together = max(1, TOGETHER // first.variations)
        while pending:
            part, pending = pending[:together], pending[together:]
            _render_part(
                part, engine, results, end_row, lambda d, s: on_progress(d, s, done), stems
            )
    return replace(summary, seconds=time.perf_counter() - start)


def _render_part(
    part: Sequence[_Row],
    engine: Engine | RemoteGenerator,
    results: ResultFile,
    end_row: Callable[..., None],
    on_progress: Callable[[str, float | None], None],
    stems: StemsCache,
) -> None:
    """Render rows that are generated together; alone where they do not fit the memory."""
    plans: list[tuple[_Row, RenderPlan]] = []
    for row in part:
        try:
            plans.append((row, with_stems(prepare(row.options), on_progress, stems)))
        except DiskFull:
            raise
        except BridgeError as error:
            end_row(_failed(results, row.job, error))
    if not plans:
        return
    numbers = ", ".join(str(row.job.row) for row, _ in plans)
    doing = f"row {numbers}" if len(plans) == 1 else f"rows {numbers}"
    on_progress(doing, 0.0)
    ends = [early_ends(plan) for _, plan in plans]
    try:
        made = generated(
            engine,
            [request_for(plan) for _, plan in plans],
            ends,
            lambda share: on_progress(doing, share),
        )
    except BridgeError as error:
        if len(plans) == 1:
            end_row(_failed(results, plans[0][0].job, error))
            return
        # One of them may be at fault, or all together may not fit the memory.
        for row, _ in plans:
            _render_part([row], engine, results, end_row, on_progress, stems)
        return
    for (row, plan), waveforms, of_row in zip(plans, made, ends, strict=True):
        try:
            finished = finish_clips(plan, waveforms, of_row)
            result, remarks = _write(row.job, plan, finished, engine, results)
        except (NotWritable, DiskFull):
            raise
        except BridgeError as error:
            result, remarks = _failed(results, row.job, error), ()
        end_row(result, remarks)


def _render_remotely(
    rows: Sequence[_Row],
    engine: RemoteGenerator,
    results: ResultFile,
    end_row: Callable[..., None],
    on_progress: Callable[[str, float | None], None],
    stems: StemsCache,
) -> None:
    """Render rows at a server, many at once. This thread alone plans and writes.

    Raises:
        NotWritable, DiskFull, EngineDied, NotAuthorized: the rows that are left cannot be rendered.
    """
    waiting = deque(rows)
    made: dict[Future[list[RankedClip]], tuple[_Row, RenderPlan]] = {}
    pool = ThreadPoolExecutor(MOST_IN_FLIGHT, "row")
    try:
        while waiting or made:
            in_flight = sum(plan.options.variations for _, plan in made.values())
            has_room = not made or (
                waiting and in_flight + waiting[0].options.variations <= MOST_IN_FLIGHT
            )
            if waiting and has_room:
                row = waiting.popleft()
                try:
                    plan = with_stems(prepare(row.options), on_progress, stems)
                    made[pool.submit(_finished_remotely, plan, engine)] = row, plan
                except DiskFull:
                    raise
                except BridgeError as error:
                    end_row(_failed(results, row.job, error))
            noun = "row" if len(made) == 1 else "rows"
            on_progress(f"{len(made)} {noun} at {rows[0].options.engine}", None)
            # Without waiting, while more rows can be sent.
            done, _ = wait(made, 0 if waiting and has_room else None, FIRST_COMPLETED)
            for future in done:
                row, plan = made.pop(future)
                try:
                    result, remarks = _write(row.job, plan, future.result(), engine, results)
                except (NotWritable, DiskFull):
                    raise
                except BridgeError as error:
                    if _is_of_server(error):
                        raise
                    result, remarks = _failed(results, row.job, error), ()
                end_row(result, remarks)
    finally:
        engine.stop()
        pool.shutdown(cancel_futures=True)


def _finished_remotely(plan: RenderPlan, engine: RemoteGenerator) -> list[RankedClip]:
    """The finished clips of a row; in a thread of its own."""
    for attempt in range(ATTEMPTS):
        ends = early_ends(plan)
        try:
            (waveforms,) = generated(engine, [request_for(plan)], [ends], lambda share: None)
        except BridgeError as error:
            if attempt + 1 == ATTEMPTS or not _is_of_server(error):
                raise
        else:
            return finish_clips(plan, waveforms, ends)
    raise AssertionError


def _is_of_server(error: BridgeError) -> bool:
    """Whether a server's error says nothing about the row, which can be rendered later."""
    is_defect = isinstance(error, EngineFailed)
    return isinstance(error, (EngineDied, NotAuthorized)) and not is_defect


def _write(
    job: BatchJob,
    plan: RenderPlan,
    finished: Sequence[RankedClip],
    engine: Engine | RemoteGenerator,
    results: ResultFile,
) -> tuple[RowResult, tuple[str, ...]]:
    """Write a row's clips, then its result: all of them or none."""
    with signals.held():
        with outputs.all_or_nothing() as written:
            clips = write_clips(
                plan,
                finished,
                engine,
                written,
                after_each=signals.check,
                recipe={KEY_FIELD: job.key},
            )
            paths = tuple(str(clip.path) for clip in clips)
            result = RowResult(job.row, job.key, paths, clips[0].melody_similarity, None)
            results.add(result)
        signals.check()
    of_clips = (remark for clip in finished for remark in clip.finished.remarks)
    return result, tuple(dict.fromkeys((*plan.remarks, *of_clips)))


def _failed(results: ResultFile, job: BatchJob, error: BridgeError) -> RowResult:
    result = RowResult(job.row, job.key, (), None, " ".join(str(error).split()))
    results.add(result)
    return result


def _model(options: Options) -> tuple[Any, ...]:
    """The options that choose what is loaded."""
    model, decoder = options.model, options.decoder or ""
    return options.engine, model, decoder, options.device, options.precision


def _order(row: _Row) -> tuple[Any, ...]:
    """Rows of one model, then of one length, then with prompts of one length, follow each other."""
    options = row.options
    words = len((options.prompt or "").split())
    return (*_group(row), words, row.job.row)


def _group(row: _Row) -> tuple[Any, ...]:
    """What rows that are generated together have in common."""
    options = row.options
    if options.engine != LOCAL_ENGINE:
        return _model(options)
    # A MIDI file's own tempo and meter are not read yet: such rows may differ in length.
    beats = options.bars * first_meter(options.meter).beats_per_bar
    seconds = options.raw_seconds or float(beats * 60 / first_tempo(options.asked_tempo_bpm))
    return (*_model(options), options.variations, seconds)


def _groups(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    group: list[_Row] = []
    for row in rows:
        if group and _group(row) != _group(group[0]):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _folders(rows: Sequence[_Row]) -> set[Path]:
    """The folders of the rows' clips, those that can be used."""
    folders = set()
    for out in {row.options.out or outputs.clips_folder() for row in rows}:
        # The row itself reports why it cannot.
        with suppress(BridgeError):
            folders.add(outputs.clip_folder(out.absolute()))
    return folders
