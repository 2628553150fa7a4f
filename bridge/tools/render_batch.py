"""`melody-bridge render --batch`: each row of a file, with a result for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from bridge.config.files import render_defaults
from bridge.errors import BadArgument
from bridge.rendering.batch import BatchSummary, run_batch
from bridge.rendering.batch_jobs import BatchJob, read_jobs
from bridge.rendering.batch_results import ResultFile, RowResult, open_results
from bridge.tools.progress_bar import batch_progress_bar
from bridge.tools.render_ray import model_of, own_replicas

RESULTS_SUFFIX = ".results.jsonl"
_OF_ONE_ROW = {"melody": "MELODY", "continue_from": "--continue", "plot": "--plot"}


def run_and_print(
    batch: str,
    results: str | None,
    *,
    flags: Mapping[str, Any],
    as_json: bool,
    ray: str | None,
    replicas: str | None,
) -> int:
    """Render a batch; print a line for each row, or one JSON object; return the exit status.

    Args:
        batch: the file of jobs.
        results: the result file; None: beside the file of jobs.
        flags: raw values for rows that leave an option open.
        ray, replicas: as for `own_replicas`; None: no replicas of its own.

    Returns:
        0: every row has clips; 1: at least one has an error.

    Raises:
        BridgeError: the file of jobs cannot be read, or results cannot be written.
    """
    for name, flag in _OF_ONE_ROW.items():
        if name in flags:
            raise BadArgument(f"{flag} belongs to one clip: write {name} into the rows instead")
    if replicas is not None and ray is None:
        raise BadArgument("--replicas belongs to --ray: a server's are those of `serve`")
    file = Path(batch).expanduser()
    jobs = read_jobs(file)
    path = file.with_name(file.stem + RESULTS_SUFFIX) if results is None else Path(results)
    out = sys.stdout
    with open_results(path.expanduser(), jobs) as result_file:
        defaults = render_defaults()
        left = [job for job in jobs if job.row not in result_file.results]
        model = None if ray is None else model_of(left, flags, defaults)
        if ray is None or model is None:
            return _run(jobs, result_file, flags, defaults, as_json=as_json, out=out)
        with own_replicas(model, place=ray, replicas=replicas, progress=_say) as url:
            flags = {**flags, "engine": url}
            return _run(jobs, result_file, flags, defaults, as_json=as_json, out=out)


def _say(doing: str) -> None:
    if sys.stderr is not None:
        print(doing, file=sys.stderr, flush=True)


def _run(
    jobs: Sequence[BatchJob],
    result_file: ResultFile,
    flags: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    as_json: bool,
    out: TextIO,
) -> int:
    before, path = len(result_file.results), result_file.path
    if before and not as_json:
        print(f"{before} of {len(jobs)} rows are in {path} already", file=out)

    def on_result(result: RowResult, remarks: tuple[str, ...]) -> None:
        _print_row(result, remarks, len(jobs), None if as_json else out)

    with batch_progress_bar(len(jobs)) as on_progress:
        summary = run_batch(
            jobs,
            result_file,
            flags=flags,
            defaults=defaults,
            on_progress=on_progress,
            on_result=on_result,
        )
    failed = sum(result.error is not None for result in result_file.results.values())
    if as_json:
        print(json.dumps({**_figures(summary), "rows": len(jobs), "results": str(path)}), file=out)
    else:
        print(_closing_line(summary, len(jobs), failed, path), file=out)
    return 1 if failed else 0


def _print_row(result: RowResult, remarks: tuple[str, ...], rows: int, out: TextIO | None) -> None:
    where = f"row {result.row} of {rows}"
    if sys.stderr is not None:
        for remark in remarks:
            print(f"{where}: {' '.join(remark.split())}", file=sys.stderr)
        if result.error is not None:
            print(f"{where}: {result.error}", file=sys.stderr)
    if out is None:
        return
    if out.isatty():
        # The bars have replaced `sys.stdout`, and print above themselves.
        out = sys.stdout
    for path in result.paths:
        print(f"{where}: {path}", file=out)
    if result.melody_similarity is not None:
        print(f"  melody similarity {result.melody_similarity:.2f}", file=out)


def _figures(summary: BatchSummary) -> dict[str, Any]:
    return {
        "made": summary.made,
        "failed": summary.failed,
        "clips": summary.clips,
        "seconds": round(summary.seconds, 3),
        "clips_a_minute": round(summary.clips_a_minute, 3),
        "clips_a_minute_one_at_a_time": round(summary.one_at_a_time, 3),
    }


def _closing_line(summary: BatchSummary, rows: int, failed: int, path: Path) -> str:
    errors = f", {failed} with an error" if failed else ""
    pace = ""
    if summary.clips:
        pace = (
            f"; {_counted(summary.clips, 'clip')} in {summary.seconds:.1f} s, "
            f"{summary.clips_a_minute:.1f} a minute (a render of its own for each row: "
            f"{summary.one_at_a_time:.1f})"
        )
    return f"{_counted(rows, 'row')}{errors}{pace}; results in {path}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
