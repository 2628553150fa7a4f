"""`melody-bridge sizing`: its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from bridge.serving.load import Playing
from bridge.serving.queues import Pace
from bridge.serving.sizing import size


def sized(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["sizing", *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_json_is_what_the_simulation_says(capsys: pytest.CaptureFixture[str]) -> None:
    answer = sized(capsys, "10", "30", "--realtime-factor", "11", "--due-bars", "3", "--price", "3")
    pace = Pace(**answer["pace"])
    assert (pace.realtime_factor, answer["playing"]["due_bars"]) == (11.0, 3)
    for players, row in zip((10, 30), answer["sizes"], strict=True):
        found = size(players, Playing(due_bars=3), pace)
        assert row["players"] == players
        assert row["outcome"]["replicas"] == found.replicas
        assert row["outcome"]["made"] == found.made
        # Two requests a minute of each player, for an hour.
        assert row["cost_a_clip"] == pytest.approx(found.replicas * 3 / (players * 120))


def test_a_bench_gives_the_pace_and_flags_go_before_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bench = tmp_path / "bench.json"
    engine = {"realtime_factor": 20.0, "first_audio_ms": {"p50": 40.0, "p95": 50.0}}
    bench.write_text(json.dumps({"variations": 1, "engine": engine}))
    assert sized(capsys, "5", "--bench", str(bench))["pace"] == {
        "realtime_factor": 20.0,
        "prefix_seconds": 0.04,
        "row_cost": 0.67,
        "batch": 1,
    }
    answer = sized(capsys, "5", "--bench", str(bench), "--realtime-factor", "10")
    assert answer["pace"]["realtime_factor"] == 10.0


def test_the_table_has_a_row_for_each_number_of_players(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sizing", "5", "20", "--queue", "deadline", "--batch", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["5", "20"]
    assert "cost" not in lines[1]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["0"], "players 0"),
        (["many"], "players 'many'"),
        (["10", "--realtime-factor", "0"], "--realtime-factor 0"),
        (["10", "--batch", "2"], "batch 2"),
        (["10", "--price", "-1"], "--price -1"),
        (["10", "--realtime-factor", "1"], "no number of replicas is enough"),
        (["10", "--slowest-bpm", "200"], "slowest_bpm 200"),
        (["10", "--bench", "nowhere.json"], "'nowhere.json'"),
        (["10", "--bench", "four.json"], "has 4 variations"),
        (["10", "--bench", "text.json"], "is not what `melody-bridge bench --json` prints"),
        (["10", "--bench", "other.json"], "is not what `melody-bridge bench --json` prints"),
    ],
)
def test_mistakes_are_one_line_that_names_the_value(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    names: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("four.json").write_text('{"variations": 4}')
    Path("text.json").write_text("no JSON")
    Path("other.json").write_text('{"variations": 1, "engine": []}')
    assert main(["sizing", *arguments]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert names in line
    assert printed.out == ""
