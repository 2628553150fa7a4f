"""The result file of a batch: JSON Lines, one result a row, from which a stopped batch goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config.small_file import read_small_file
from bridge.delivery.clip_files import discard
from bridge.delivery.folder_lock import file_lock
from bridge.delivery.sidecar import read_known
from bridge.delivery.wav import FULL, SIDECAR, beside
from bridge.errors import BadArgument, DiskFull, NotWritable, UnreadableFile
from bridge.rendering.batch_jobs import BatchJob

KEY_FIELD = "batch_key"
"""The sidecar's field for the row that a clip belongs to."""
MOST_RESULT_BYTES = 64 << 20


@dataclass(frozen=True)
class RowResult:
    """How a row ended.

    Attributes:
        key: its job's.
        paths: of its clips, best first; empty after an error.
        melody_similarity: the best clip's, 0…1; None without a melody.
        error: what was wrong, in a sentence; None: nothing.
    """

    row: int
    key: str
    paths: tuple[str, ...]
    melody_similarity: float | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        """The line of the result file."""
        return {
            "row": self.row,
            "path": self.paths[0] if self.paths else None,
            "paths": list(self.paths),
            "melody_similarity": self.melody_similarity,
            "error": self.error,
            "key": self.key,
        }


class ResultFile:
    """The results so far. Each line is on the disk before `add` returns.

    Attributes:
        results: by row.
    """

    def __init__(self, path: Path, jobs: Sequence[BatchJob]) -> None:
        """Read the file, if there is one, and drop results of rows that have changed since.

        Raises:
            UnreadableFile, NotWritable, DiskFull: the file cannot be read or written.
        """
        self.path = path
        self.is_new = not path.exists()
        keys = {job.row: job.key for job in jobs}
        found = {} if self.is_new else _read(path)
        self.results = {row: each for row, each in found.items() if keys.get(row) == each.key}
        # A line that a kill has cut is dropped too.
        self._replace(self.results[row] for row in sorted(self.results))

    def add(self, result: RowResult) -> None:
        """Append a result.

        Raises:
            NotWritable, DiskFull: it cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(result))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _cannot_be_written(self.path, error) from error
        self.results[result.row] = result

    def adopt(self, jobs: Iterable[BatchJob], folders: Iterable[Path]) -> None:
        """Add results of rows whose clips were written just before the batch was killed.

        Clips of a row that were not all written are discarded, where nobody has kept one of them
        and none is there twice: the row is rendered again.

        Args:
            jobs: the rows that have no result.
            folders: that their clips go to.
        """
        waiting = {job.key: job for job in jobs}
        clips: dict[str, list[tuple[int, Path, dict[str, Any]]]] = {}
        for folder in set(folders):
            for sidecar in folder.glob(f"*{SIDECAR}"):
                # Other programs' files are there too.
                with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
                    fields = json.loads(read_small_file(sidecar))
                    if fields[KEY_FIELD] in waiting:
                        found = (int(fields["index"]), sidecar.with_suffix(".wav"), fields)
                        clips.setdefault(fields[KEY_FIELD], []).append(found)
        for key, members in clips.items():
            members.sort(key=lambda member: member[0])
            fields = members[0][2]
            if len(members) == fields["count"] and all(path.exists() for _, path, _ in members):
                paths = tuple(str(path) for _, path, _ in members)
                similarity = fields.get("melody_similarity")
                self.add(RowResult(waiting[key].row, key, paths, similarity, None))
                continue
            _discard_part([path for _, path, _ in members])

    def _replace(self, results: Iterable[RowResult]) -> None:
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            part.write_text("".join(map(_line, results)), encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise _cannot_be_written(self.path, error) from error


@contextmanager
def open_results(path: Path, jobs: Sequence[BatchJob]) -> Iterator[ResultFile]:
    """The result file, for this run alone.

    Raises:
        NotWritable: another run uses it, or its folder cannot be written to.
        UnreadableFile, DiskFull: as `ResultFile`.
    """
    with ExitStack() as held:
        try:
            is_ours = held.enter_context(file_lock(path))
        except OSError as error:
            raise _cannot_be_written(path, error) from error
        if not is_ours:
            raise NotWritable(
                f"results {str(path)!r} are being written by another run: wait until it ends, or "
                "name another file with --results"
            )
        yield ResultFile(path, jobs)


def _discard_part(paths: Sequence[Path]) -> None:
    """Discard the clips of a row that was not written whole.

    Another run may have written a clip of the same row: where an index is there twice, or a clip is
    kept, all of them stay.
    """
    known = [clip for path in paths if (clip := read_known(path.with_suffix(SIDECAR)))]
    if len({clip.index for clip in known}) < len(known) or any(clip.is_kept for clip in known):
        return
    for clip in known:
        discard(clip.path.parent, [clip])
    for path in paths:
        if not path.exists():
            for file in beside(path):
                file.unlink(missing_ok=True)


def _line(result: RowResult) -> str:
    return json.dumps(result.as_json(), allow_nan=False) + "\n"


def _read(path: Path) -> dict[int, RowResult]:
    try:
        lines = read_small_file(path, MOST_RESULT_BYTES).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"results {str(path)!r} cannot be read ({error}): move it away to begin anew"
        ) from error
    results = {}
    for line in lines:
        try:
            fields = json.loads(line)
            result = RowResult(
                int(fields["row"]),
                str(fields["key"]),
                tuple(map(str, fields["paths"])),
                fields["melody_similarity"],
                fields["error"],
            )
        except (ValueError, RecursionError, TypeError, KeyError):
            continue
        results[result.row] = result
    if not results and any(line.strip() for line in lines[:-1]):
        # Every line but the last is whole, so that this file is something else.
        raise BadArgument(f"results {str(path)!r} is no result file: name another, or move it away")
    return results


def _cannot_be_written(path: Path, error: OSError) -> NotWritable | DiskFull:
    kind = DiskFull if error.errno in FULL else NotWritable
    return kind(f"results {str(path)!r} cannot be written: {error.strerror}")
