"""`melody-bridge sizing`: how many replicas of an engine a number of players needs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from bridge.config.readers import ints, numbers
from bridge.config.small_file import read_small_file
from bridge.errors import BadArgument, UnreadableFile
from bridge.serving.load import PLAYERS, PLAYING_RANGES, Playing
from bridge.serving.queues import PACE_RANGES, Pace, Queueing
from bridge.serving.sizing import AIM, Outcome, size
from bridge.tools.new_checkpoint import add_json
from bridge.tools.progress_bar import progress_bar

POCKET = Pace(realtime_factor=7.0, prefix_seconds=0.03, row_cost=0.67)
"""`pocket` on one core, as docs/models.md has it measured: 7 times real time in an engine's own
process, 28 ms to the first audio, and four variations in three times the time of one."""
_HELP = {
    "realtime_factor": "seconds of audio that a replica makes in a second",
    "prefix_seconds": "seconds before the first step of a batch",
    "row_cost": "what each further row of a batch adds to a step, as a share of it",
    "batch": "requests that a replica takes into one batch, at most, from one queue",
    "requests_a_minute": "requests of one player, in the mean",
    "bars": "length of a clip",
    "slowest_bpm": "the slowest tempo of a player",
    "fastest_bpm": "the fastest tempo of a player",
    "due_bars": "bars from a request until its clip is due",
    "variations": "clips of one request",
    "made_share": "seconds of audio made for a second of the clip",
    "home_seconds": "seconds of planning, finishing and network",
}
_MOST_BENCH_BYTES = 1 << 20
_PRICE = numbers(0, 100_000)
_SEED = ints(0, 2**31 - 1)


@dataclass(frozen=True)
class _Row:
    """The answer for one number of players.

    Attributes:
        cost_a_clip: in the money of `--price`; None: no price is given.
    """

    players: int
    outcome: Outcome
    players_a_replica: float
    cost_a_clip: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "players", metavar="PLAYERS", nargs="+", help=f"players at the same time, {PLAYERS.range}"
    )
    pace = parser.add_argument_group("a replica")
    pace.add_argument(
        "--bench", metavar="FILE", help="take its pace from what `bench --json` printed"
    )
    _add_fields(pace, POCKET, PACE_RANGES)
    playing = parser.add_argument_group("the players")
    _add_fields(playing, Playing(), PLAYING_RANGES)
    playing.add_argument(
        "--together", action="store_true", help="all follow one clock, as in one room"
    )
    parser.add_argument(
        "--queue",
        choices=get_args(Queueing),
        default="two-choices",
        help="where requests wait; two-choices: as the server does, at the shorter of two drawn "
        "replicas; else in one queue, in this order (%(default)s)",
    )
    parser.add_argument("--price", metavar="X", help="of one replica for an hour; adds the costs")
    parser.add_argument("--seed", metavar="N", default="0", help="of the draws (0)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a row for each number of players; return the exit status.

    Raises:
        BadArgument: a value is out of its range, or no number of replicas is enough.
        UnreadableFile: the bench's file cannot be read, or is something else.
    """
    pace = Pace(**_given(arguments, PACE_RANGES, asdict(POCKET) | _benched(arguments.bench)))
    playing = Playing(
        **_given(arguments, PLAYING_RANGES, asdict(Playing())) | {"is_together": arguments.together}
    )
    price = None if arguments.price is None else _PRICE("--price", arguments.price)
    seed = _SEED("--seed", arguments.seed)
    sizes = [PLAYERS("players", each) for each in arguments.players]
    rows = []
    with progress_bar() as show:
        for players in sizes:
            outcome = size(
                players,
                playing,
                pace,
                queueing=arguments.queue,
                seed=seed,
                progress=lambda replicas, players=players: show(  # type: ignore[misc]
                    f"{players} players: {replicas} replicas", None
                ),
            )
            rows.append(_row(players, outcome, playing, price))
    if arguments.json:
        print(
            json.dumps(
                {
                    "pace": asdict(pace),
                    "playing": asdict(playing),
                    "queue": arguments.queue,
                    "seed": seed,
                    "sizes": [asdict(row) for row in rows],
                }
            )
        )
    else:
        print(_table(rows))
    return 0


def _add_fields(
    group: argparse._ArgumentGroup, defaults: Pace | Playing, ranges: dict[str, Any]
) -> None:
    """Add a flag for each field that has a range."""
    for each in fields(defaults):
        if each.name in ranges:
            group.add_argument(
                _flag(each.name),
                dest=each.name,
                metavar="X",
                help=f"{_HELP[each.name]}, {ranges[each.name].range} "
                f"({getattr(defaults, each.name):g})",
            )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _given(
    arguments: argparse.Namespace, ranges: dict[str, Any], defaults: dict[str, Any]
) -> dict[str, Any]:
    """The value of each field: its flag's, else the default."""
    flags = {name: getattr(arguments, name) for name in ranges}
    given = {name: ranges[name](_flag(name), raw) for name, raw in flags.items() if raw is not None}
    return {name: defaults[name] for name in ranges} | given


def _benched(file: str | None) -> dict[str, float]:
    """The pace of one variation in a bench's JSON."""
    if file is None:
        return {}
    path = Path(file).expanduser()
    try:
        figures = json.loads(read_small_file(path, _MOST_BENCH_BYTES))
        if figures["variations"] != 1:
            raise BadArgument(f"--bench {file!r} has {figures['variations']} variations: measure 1")
        return {
            "realtime_factor": float(figures["engine"]["realtime_factor"]),
            "prefix_seconds": float(figures["engine"]["first_audio_ms"]["p50"]) / 1000,
        }
    except OSError as error:
        raise UnreadableFile(f"{file!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableFile(
            f"{file!r} is not what `melody-bridge bench --json` prints: give such a file"
        ) from error


def _row(players: int, outcome: Outcome, playing: Playing, price: float | None) -> _Row:
    clips_an_hour = players * playing.requests_a_minute * 60 * playing.variations
    cost = None if price is None else outcome.replicas * price / clips_an_hour
    return _Row(players, outcome, players / outcome.replicas, cost)


def _table(rows: list[_Row]) -> str:
    lines = [
        f"Fewest replicas with which {AIM:.0%} of all requests make their bar:",
        "players  replicas  made      busy  request to clip, 50 and 99 %  players a replica"
        + ("  cost a clip" if rows[0].cost_a_clip is not None else ""),
    ]
    for row in rows:
        had = row.outcome
        cost = "" if row.cost_a_clip is None else f"  {row.cost_a_clip:11.3g}"
        lines.append(
            f"{row.players:7}  {had.replicas:8}  {had.made:7.2%}  {had.busy:5.0%}  "
            f"{had.served_p50_seconds:15.2f} s, {had.served_p99_seconds:5.2f} s     "
            f"{row.players_a_replica:17.1f}{cost}"
        )
    return "\n".join(lines)
