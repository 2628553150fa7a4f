"""`eval --hums`: the short form holds every floor."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

from bridge import cli
from bridge.tools.hums.cases import CONDITIONS, INSTRUMENTS, held_out_hums, hums, solos, sung
from bridge.tools.hums.tunes import SONGS


def test_the_short_form_holds_every_floor(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["eval", "--hums", "--short", "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert report["conditions"].keys() == CONDITIONS.keys()
    with_floors = [figure for figure in report["figures"] if figure["floor"] is not None]
    assert len(with_floors) == 8
    missed = {figure["name"]: figure["value"] for figure in with_floors if not figure["holds"]}
    assert not missed


def test_a_hum_is_made_from_its_seed() -> None:
    first, again, other = (
        sung(SONGS[0], "all at once", voice="hum", tonic=2, tempo_bpm=96, seed=(seed,))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first.waveform.samples, again.waveform.samples)
    assert first.notes == again.notes
    assert first.notes != other.notes


def test_solos_are_in_and_out_of_keys_on_every_instrument() -> None:
    made = list(solos(every=5))
    assert [solo.voice for solo in made] == list(INSTRUMENTS)
    assert any(solo.key is None for solo in made) and any(solo.key for solo in made)


def test_what_is_held_out_shares_no_tune_no_voice_and_no_tempo_with_the_rest() -> None:
    chosen_on, held_out = list(islice(hums(), 24)), list(islice(held_out_hums(), 12))
    for name in ("tune", "voice", "tempo_bpm"):
        ours, theirs = ({getattr(hum, name) for hum in each} for each in (chosen_on, held_out))
        assert len(theirs) >= 4 and not ours & theirs
