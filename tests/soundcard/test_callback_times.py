"""What is counted of callbacks comes out again, in the process that did not count."""

from __future__ import annotations

import multiprocessing
import random

import pytest

from bridge.soundcard.callback_times import (
    CLASSES,
    CLASSES_PER_OCTAVE,
    LOWEST_SECONDS,
    duration_class,
)
from bridge.soundcard.output_report import OutputReport


def count(name: str, late_seconds: list[float], took_seconds: float) -> None:
    report = OutputReport.attach(name)
    for late in late_seconds:
        report.count(late, took_seconds)
    report.close()


def test_percentiles_are_those_of_the_durations_a_class_wide() -> None:
    late_seconds = [0.0005 + 1e-6 * number for number in range(1000)]
    random.Random(1).shuffle(late_seconds)
    report = OutputReport.create()
    try:
        assert report.callback_times() is None
        counting = multiprocessing.get_context("spawn").Process(
            target=count, args=(report.name, late_seconds, 0.000_2)
        )
        counting.start()
        counting.join()
        times = report.callback_times()
    finally:
        report.unlink()
        report.close()
    assert times is not None
    assert times.count == 1000
    for figure, exact_ms in (
        (times.late_ms["p50"], 1.0),
        (times.late_ms["p99"], 1.49),
        (times.took_ms["p50"], 0.2),
        (times.took_ms["p99"], 0.2),
    ):
        # The class's upper bound; figures are rounded to a microsecond.
        assert exact_ms - 0.002 <= figure <= exact_ms * 2 ** (1 / CLASSES_PER_OCTAVE) + 0.002


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-9, LOWEST_SECONDS])
def test_early_is_as_in_time(seconds: float) -> None:
    assert duration_class(seconds) == 0


def test_longer_durations_have_higher_classes_up_to_the_last() -> None:
    durations = [LOWEST_SECONDS * 1.05**step for step in range(1, 400)]
    classes = [duration_class(seconds) for seconds in durations]
    assert classes == sorted(classes)
    assert set(classes) == set(range(1, CLASSES))
