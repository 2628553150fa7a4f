"""The jobs of a batch: a CSV or JSON Lines file, each row the options of one render."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.config import OPTIONS, Options, merge
from bridge.config.options import options_in
from bridge.config.presets import find_preset
from bridge.config.small_file import read_small_file
from bridge.errors import BadArgument, UnreadableFile

SUFFIXES = (".csv", ".jsonl")
MOST_ROWS = 10_000
MOST_FILE_BYTES = 16 << 20
_NOT_IN_ROWS = ("plot",)
_SOUND = ("prompt", "preset")
_SWITCH_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class BatchJob:
    """One row.

    Attributes:
        row: its number among the rows, from 1.
        key: changes when the row's values change.
        values: raw values by option name; relative paths are completed.
        mistake: why the row cannot be read; empty: it can.
    """

    row: int
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    mistake: str = ""

    def options(self, flags: Mapping[str, Any], defaults: Mapping[str, Any]) -> Options:
        """The row's options: its own values, its preset's, the command line's, the file's.

        A row's prompt or preset replaces both of the command line's.

        Raises:
            BridgeError: the row has a mistake.
        """
        if self.mistake:
            raise BadArgument(self.mistake)
        if any(name in self.values for name in _SOUND) or self.values.get("unconditional"):
            flags = {name: value for name, value in flags.items() if name not in _SOUND}
        preset = self.values.get("preset", flags.get("preset"))
        sound = {} if preset is None else find_preset(preset).values
        return merge(self.values, sound, flags, defaults)


def read_jobs(file: Path) -> list[BatchJob]:
    """Read a `.csv` file, whose first line names the options, or a `.jsonl` file, an object a line.

    Paths in a row are relative to the file's folder. A row that cannot be read has a `mistake`.

    Raises:
        UnreadableFile: the file is missing, too large, no UTF-8, or has no rows or too many.
        BadArgument: another suffix, or a column that is no option of `render`.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise BadArgument(f"batch {str(file)!r}: name a {' or '.join(SUFFIXES)} file")
    try:
        text = read_small_file(file, MOST_FILE_BYTES)
    except OSError as error:
        raise UnreadableFile(
            f"batch {str(file)!r} cannot be read ({error.strerror}): check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"batch {str(file)!r} is not UTF-8: save it as UTF-8") from error
    text = text.removeprefix("\ufeff")
    rows = _csv_rows(file, text) if file.suffix.lower() == ".csv" else _json_rows(text)
    jobs: list[BatchJob] = []
    for raw in rows:
        if len(jobs) == MOST_ROWS:
            raise UnreadableFile(
                f"batch {str(file)!r} has more than {MOST_ROWS} rows: split it into several files"
            )
        jobs.append(_job(len(jobs) + 1, raw, file.absolute().parent))
    if not jobs:
        raise UnreadableFile(f"batch {str(file)!r} has no rows: write one for each clip")
    return jobs


def _csv_rows(file: Path, text: str) -> Iterator[Mapping[str, Any] | str]:
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        names = [name.strip() for name in next(reader, [])]
        _check_names(names, f"batch {str(file)!r}: column")
        if len(set(names)) < len(names):
            raise BadArgument(f"batch {str(file)!r}: a column is there twice; keep one")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                yield f"{len(cells)} cells in {len(names)} columns: quote what holds a comma"
                continue
            given = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
            yield {name: _of_cell(name, cell) for name, cell in given.items()}
    except csv.Error as error:
        raise UnreadableFile(
            f"batch {str(file)!r} is not CSV ({error}): export it again"
        ) from error


def _of_cell(name: str, cell: str) -> Any:
    is_switch = OPTIONS[name].reader.kind == "switch"
    return _SWITCH_WORDS.get(cell.strip().lower(), cell) if is_switch else cell


def _json_rows(text: str) -> Iterator[Mapping[str, Any] | str]:
    # Not `splitlines`, which also splits at characters that a JSON string may hold.
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield f"not JSON ({error}): write one object a line"
            continue
        if not isinstance(values, dict):
            yield 'not a JSON object: write one a line, such as {"prompt": "keys"}'
            continue
        try:
            _check_names(values, "option")
        except BadArgument as error:
            yield str(error)
            continue
        yield {name: value for name, value in values.items() if value is not None}


def _check_names(names: Any, what: str) -> None:
    permitted = [option.name for option in options_in("render") if option.name not in _NOT_IN_ROWS]
    for name in names:
        if name not in permitted:
            raise BadArgument(f"{what} {name!r:.60} is none of {', '.join(permitted)}")


def _job(row: int, raw: Mapping[str, Any] | str, folder: Path) -> BatchJob:
    if isinstance(raw, str):
        return BatchJob(row, _key(row, raw), mistake=raw)
    values = {
        name: str(folder / Path(value).expanduser())
        if OPTIONS[name].reader.kind == "path" and isinstance(value, str) and value.strip()
        else value
        for name, value in raw.items()
    }
    return BatchJob(row, _key(row, values), values)


def _key(row: int, content: object) -> str:
    text = json.dumps([row, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
