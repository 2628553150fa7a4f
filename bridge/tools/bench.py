"""The speed of a checkpoint: the bridge's engine and transformers' `generate`, in turn, in one run.

A step is one run of the decoder; a piece of n codec steps takes n decoder steps and the delay of
the last codebook. `steps_per_second` divides them by the wall time of the whole request, text
encoder and codec included, for both engines alike. `realtime_factor` is seconds of one variation's
audio made in a second. Both are medians of the runs; the engines take turns so that a busy machine
slows both. The ratio compares the audio made: transformers makes its rows one after the other.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bridge.chroma import STEP_SECONDS, WINDOW_SECONDS, one_hot
from bridge.config import OPTIONS, read_value
from bridge.config.flags import add_flag
from bridge.errors import BadArgument
from bridge.process import signals
from bridge.rendering import outputs

if TYPE_CHECKING:
    from bridge.engine import Engine, Request

PROMPT = "electric piano, bass and drums, 120 bpm"
GUIDANCE_SCALE = 3.0
FIRST_AUDIO_REQUESTS = 20
WARM_REQUESTS = 5
"""Requests after which the memory has settled; later growth is a leak."""
STEPS_PER_MARK = 25
RUNS, LOOP_RUNS = 5, 20
NOT_WITH_DAEMON = ("size", "dtype", "precision", "seconds", "variations", "requests", "plot")
"""What says how one checkpoint is measured."""
NOT_WITH_ENGINE = ("size", "dtype", "precision", "requests", "plot")
Mark = tuple[int, float]
"""Decoder steps done, and seconds since the request."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Limit:
    """The highest speed of any engine with this arithmetic: each step reads weights and KV cache.

    Attributes:
        bytes_per_step: bytes that a step reads, at the mean position of the request.
        bandwidth_gb_s: the device's bandwidth, measured by copies (bytes read and written) of as
            much as a step reads; where that fits a cache, as pocket's does, it is the cache's.
        frame_rate: codec steps a second.
    """

    bytes_per_step: int
    bandwidth_gb_s: float
    frame_rate: int

    @property
    def realtime_factor(self) -> float:
        """Seconds of audio in a second, if a step took only its reading."""
        return self.bandwidth_gb_s * 1e9 / self.bytes_per_step / self.frame_rate


@dataclass(frozen=True)
class Timed:
    """One engine's runs: the seconds of each, and the marks of the last."""

    seconds: tuple[float, ...]
    marks: tuple[Mark, ...]

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def bytes_per_step(
    weight_bytes: int, *, layers: int, hidden: int, value_bytes: int, rows: int, positions: float
) -> int:
    """Bytes of all weights, and of the keys and values of each row at this many positions."""
    return round(weight_bytes + 2 * layers * hidden * value_bytes * rows * positions)


@dataclass(frozen=True)
class BenchOptions:
    """The options of a bench.

    Attributes:
        model: pocket, a folder, or a Hugging Face id; None: pocket.
        size: random weights of a published size instead of a model.
        device: as in `config.Options`; None: auto.
        dtype: type of the weights; None: bfloat16 on CUDA, else float32.
        precision: as in `config.Options`; None: exact.
        seconds: length of the piece, over 0, at most `WINDOW_SECONDS`.
        runs: runs of each engine, 1 or more.
        variations: variations made at once, up to the engine's largest batch.
        requests: also measure the memory over this many requests, 0 or over `WARM_REQUESTS`.
        plot: a `.png` file for the picture; None: no picture.

    Raises:
        BadArgument: a value is out of its range.
        Unsupported: a picture is asked for without matplotlib.
    """

    model: str | None = None
    size: str | None = None
    device: str | None = None
    dtype: str | None = None
    precision: str | None = None
    seconds: float = 10.0
    runs: int = RUNS
    variations: int = 1
    requests: int = 0
    plot: Path | None = None

    def __post_init__(self) -> None:
        from bridge.engine.engine import LARGEST_BATCH

        if not 0 < self.seconds <= WINDOW_SECONDS:
            raise BadArgument(
                f"--seconds {self.seconds:g}: over 0 and at most {WINDOW_SECONDS}, the window "
                "that transformers makes"
            )
        if self.runs < 1:
            raise BadArgument(f"--runs {self.runs}: give 1 or more")
        if not 1 <= self.variations <= LARGEST_BATCH:
            raise BadArgument(
                f"--variations {self.variations}: give 1 to {LARGEST_BATCH}, as many as are made "
                "side by side"
            )
        if self.requests and self.requests <= WARM_REQUESTS:
            raise BadArgument(f"--requests {self.requests}: give more than {WARM_REQUESTS}")
        if self.size and self.model:
            raise BadArgument(
                f"--size {self.size} makes a checkpoint of its own; leave out --model {self.model}"
            )
        if self.device is not None:
            read_value("device", self.device)
        if self.precision is not None:
            read_value("precision", self.precision)
        if self.plot is not None:
            outputs.check_plot(read_value("plot", self.plot))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", help="as for render (pocket)")
    parser.add_argument(
        "--size",
        choices=("full", "mono", "large"),
        help="random weights of a published size instead of a model: 1.5 B stereo or mono, 3.3 B",
    )
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps (auto)")
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "float16", "bfloat16"),
        help="of the weights (bfloat16 on CUDA, else float32)",
    )
    add_flag(parser, "precision")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the piece (%(default)g)")
    parser.add_argument(
        "--runs",
        type=int,
        help=f"of each engine ({RUNS}); with --loop, --trigger or --engine of each kind "
        f"({LOOP_RUNS})",
    )
    parser.add_argument("--variations", type=int, default=1, help="made at once (%(default)s)")
    parser.add_argument(
        "--requests", type=int, default=0, help="also measure the memory over so many requests"
    )
    parser.add_argument("--plot", metavar="PNG", help="draw step time against position")
    parser.add_argument(
        "--loop",
        action="store_true",
        help="measure live loops in a daemon on a JACK server instead: message to sound",
    )
    parser.add_argument(
        "--trigger",
        action="store_true",
        help="measure a daemon on a JACK server instead: message to clip, idle and busy",
    )
    parser.add_argument(
        "--engine",
        metavar="URL",
        help="measure a remote engine and the local one in turn instead: whole requests",
    )
    parser.add_argument("--engine-token-file", metavar="FILE", help="as for render, with --engine")
    parser.add_argument(
        "--sketch", action="store_true", help="measure the screen of `sketch` instead: its keys"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(unset={name: parser.get_default(name) for name in NOT_WITH_DAEMON})


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; return the exit status."""
    if arguments.loop or arguments.trigger:
        return _run_daemon(arguments)
    if arguments.engine is not None:
        return _run_remote(arguments)
    if arguments.engine_token_file is not None:
        raise BadArgument("--engine-token-file is for a remote engine: give --engine too")
    if arguments.runs is None:
        arguments.runs = RUNS
    if arguments.sketch:
        from bridge.tools import bench_sketch

        return bench_sketch.run(
            model=arguments.model,
            device=arguments.device,
            starts=arguments.runs,
            as_json=arguments.json,
        )
    given = {each.name: getattr(arguments, each.name) for each in fields(BenchOptions)}
    if arguments.plot is not None:
        given["plot"] = read_value("plot", arguments.plot)
    return main(BenchOptions(**given), as_json=arguments.json)


def _run_remote(arguments: argparse.Namespace) -> int:
    from bridge.tools import bench_engine

    for name in NOT_WITH_ENGINE:
        if getattr(arguments, name) != arguments.unset[name]:
            raise BadArgument(f"--{name} is for a checkpoint alone: leave it out with --engine")
    options = bench_engine.EngineBenchOptions(
        url=arguments.engine,
        token_file=read_value("engine_token_file", arguments.engine_token_file)
        if arguments.engine_token_file is not None
        else None,
        model=arguments.model or OPTIONS["model"].default,
        device=arguments.device,
        seconds=arguments.seconds,
        variations=arguments.variations,
        runs=LOOP_RUNS if arguments.runs is None else arguments.runs,
    )
    return bench_engine.main(options, as_json=arguments.json)


def _run_daemon(arguments: argparse.Namespace) -> int:
    from bridge.tools import bench_loop, bench_trigger

    if arguments.loop and arguments.trigger:
        raise BadArgument("--loop --trigger: give one of them")
    flag = "--loop" if arguments.loop else "--trigger"
    for name, unset in arguments.unset.items():
        if getattr(arguments, name) != unset:
            raise BadArgument(f"--{name} is for a checkpoint alone: leave it out with {flag}")
    measure = bench_loop.run if arguments.loop else bench_trigger.run
    return measure(
        model=arguments.model,
        device=arguments.device,
        rounds=LOOP_RUNS if arguments.runs is None else arguments.runs,
        as_json=arguments.json,
    )


def main(options: BenchOptions, *, as_json: bool) -> int:
    """Measure and print; return 0.

    Raises:
        CheckpointUnusable, OutOfMemory, Unsupported: as for a render.
    """
    console = Console(stderr=True)

    def report(line: str) -> None:
        console.print(line, highlight=False)

    bench = _Bench(options, report)
    figures = bench.figures()
    if options.plot is not None:
        from bridge.tools.bench_picture import draw

        picture = draw(bench.step_times(bench.ours), bench.step_times(bench.theirs), figures)
        with signals.held(), outputs.all_or_nothing() as written:
            outputs.write_picture(options.plot, picture, written)
            signals.accept()
    if as_json:
        print(json.dumps(figures))
    else:
        Console().print(as_table(figures))
    return 0


def as_table(figures: dict[str, Any]) -> Table:
    """The figures as a table, for people and for Markdown files."""
    precision = f"{figures['dtype']}, {figures['precision']}"
    title = f"{figures['model']} on {figures['device_name']}, {precision}, guidance 3"
    table = Table("figure", "engine", "transformers", "limit", title=title, box=box.MARKDOWN)
    engine, reference, limit = (figures[name] for name in ("engine", "reference", "limit"))
    first = engine["first_audio_ms"]
    rows = [
        ("steps a second", engine["steps_per_second"], reference["steps_per_second"], None),
        (
            "times real time, each variation",
            engine["realtime_factor"],
            reference["realtime_factor"],
            limit["realtime_factor"],
        ),
        ("as much audio a second, times", figures["ratio"], 1.0, None),
        ("request to first audio, ms, median", first["p50"], None, None),
        ("the same, 95 %", first["p95"], None, None),
        ("loading and warming up, s", engine["load_seconds"], None, None),
        ("peak memory, MB", engine["peak_memory_mb"], None, None),
        ("read in a step, MB", None, None, limit["bytes_per_step"] / 1e6),
        ("bandwidth, GB/s", None, None, limit["bandwidth_gb_s"]),
    ]
    for name, *values in rows:
        table.add_row(name, *("" if value is None else f"{value:.4g}" for value in values))
    if "memory" in figures:
        memory = figures["memory"]
        table.add_row(
            f"memory, request {WARM_REQUESTS} to {memory['requests']}, % more",
            f"{memory['growth_percent']:.2f}",
        )
    return table


class _Bench:
    """One run of the bench.

    Attributes:
        ours, theirs: the runs of the engine and of transformers, once `figures` has been called.
    """

    def __init__(self, options: BenchOptions, report: Report) -> None:
        self._options, self._report = options, report
        self._precision = read_value("precision", options.precision or OPTIONS["precision"].default)
        self.ours = self.theirs = Timed((), ())

    def figures(self) -> dict[str, Any]:
        """Measure everything; return the figures in the order in which they are printed."""
        options, report = self._options, self._report
        start = time.perf_counter()
        engine = self._load()
        # Imported only now: a mistake in the model's name or files is reported without torch.
        from bridge.engine import meter

        report(f"{engine.model_name} on {engine.device}: warming up")
        engine.warm_up()
        load_seconds = time.perf_counter() - start
        request = _request(options.seconds, seed=1, variations=options.variations)
        # The first request of a size allocates its buffers and captures its graphs.
        engine.generate(request)
        first_audio = self._first_audio(engine)
        memory = self._memory_growth(engine, request) if options.requests else None
        # Read before transformers and the copies that measure bandwidth take memory too.
        peak = meter.peak_memory_mb(engine.device)
        reference = engine.as_reference()
        reference.warm_up()
        self._race(engine, reference, request)
        steps = _steps(engine, options.seconds)
        pipeline = engine.pipeline
        sizes = meter.sizes(pipeline)
        read = bytes_per_step(
            sizes.weight_bytes,
            layers=sizes.layers,
            hidden=sizes.hidden_size,
            value_bytes=sizes.value_bytes,
            rows=2 * options.variations,
            # A step attends to its own position too.
            positions=pipeline.conditioner.length(PROMPT) + (steps + 1) / 2,
        )
        report("measuring the device's bandwidth")
        bandwidth = meter.bandwidth_gb_s(engine.device, read)
        limit = Limit(read, bandwidth, engine.frame_rate)
        ours, theirs = self.ours.median, self.theirs.median
        figures = {
            "device": engine.device,
            "device_name": meter.device_name(engine.device),
            "dtype": sizes.dtype,
            "precision": self._precision,
            "model": engine.model_name,
            "seconds": options.seconds,
            "variations": options.variations,
            "runs": options.runs,
            "threads": meter.threads(),
            "engine": {
                "steps_per_second": steps / ours,
                "realtime_factor": options.seconds / ours,
                "first_audio_ms": {
                    "p50": float(np.percentile(first_audio, 50)) * 1000,
                    "p95": float(np.percentile(first_audio, 95)) * 1000,
                },
                "load_seconds": load_seconds,
                "peak_memory_mb": peak,
            },
            "reference": {
                # Its rows are made one after the other, each in as many steps.
                "steps_per_second": steps * options.variations / theirs,
                "realtime_factor": options.seconds / theirs,
            },
            "ratio": theirs / ours,
            "limit": {
                "bytes_per_step": limit.bytes_per_step,
                "bandwidth_gb_s": limit.bandwidth_gb_s,
                "realtime_factor": limit.realtime_factor,
            },
        }
        if memory is not None:
            figures["memory"] = memory
        rounded: dict[str, Any] = _rounded(figures)
        return rounded

    def step_times(self, timed: Timed) -> list[tuple[float, float]]:
        """Position in decoder steps, and milliseconds a step of all variations, in the last run."""
        # transformers' steps make one variation each.
        factor = self._options.variations if timed is self.theirs else 1
        return [
            ((before + after) / 2, factor * (ended - began) / (after - before) * 1000)
            for (before, began), (after, ended) in pairwise(timed.marks)
        ]

    def _load(self) -> Engine:
        from bridge.engine import load

        options = self._options
        if options.size:
            from bridge.engine.fullsize import random_engine

            self._report(f"drawing random weights of size {options.size}")
            return random_engine(
                options.size,
                device=options.device,
                dtype=options.dtype,
                precision=self._precision,
            )
        model = options.model or "pocket"
        self._report(f"loading {model}")
        return load(model, device=options.device, dtype=options.dtype, precision=self._precision)

    def _race(self, engine: Engine, reference: Engine, request: Request) -> None:
        """Run both engines in turn, and keep their times."""
        runs: dict[str, list[Timed]] = {"engine": [], "transformers": []}
        engines = (("engine", engine, 1), ("transformers", reference, int(request.variations)))
        for number in range(self._options.runs):
            for name, runner, in_turn in engines:
                timed = _time(runner, request, in_turn=in_turn)
                runs[name].append(timed)
                self._report(
                    f"run {number + 1} of {self._options.runs}, {name}: {timed.median:.2f} s"
                )
        self.ours, self.theirs = (
            Timed(tuple(run.median for run in of_engine), of_engine[-1].marks)
            for of_engine in runs.values()
        )

    def _first_audio(self, engine: Engine) -> list[float]:
        """Seconds from request to first chunk; each request is then cancelled.

        The prompt was used before; each melody is new.
        """
        self._report("request to first audio")
        seconds = []
        for seed in range(FIRST_AUDIO_REQUESTS):
            request = _request(
                self._options.seconds, seed=seed, variations=self._options.variations
            )
            start = time.perf_counter()
            with engine.stream(request) as stream:
                next(stream)
                seconds.append(time.perf_counter() - start)
        return seconds

    def _memory_growth(self, engine: Engine, request: Request) -> dict[str, Any]:
        """Growth of the memory in use over many requests."""
        from bridge.engine.meter import memory_mb

        count = self._options.requests
        used = []
        for number in range(count):
            seconds = min(1.0, request.seconds)
            engine.generate(_request(seconds, seed=number, variations=int(request.variations)))
            used.append(memory_mb(engine.device))
            if (number + 1) % 10 == 0:
                self._report(f"{number + 1} of {count} requests: {used[-1]:.0f} MB")
        before, after = used[WARM_REQUESTS - 1], used[-1]
        return {
            "requests": count,
            "before_mb": before,
            "after_mb": after,
            "growth_percent": (after / before - 1) * 100,
        }


def _request(seconds: float, *, seed: int, variations: int) -> Request:
    """A request with a melody of random notes, half a second each, new with every seed."""
    from bridge.engine import Request

    length = round(seconds / STEP_SECONDS) + 1
    notes = np.random.default_rng(seed).integers(0, 12, -(-length // 4))
    return Request(
        prompt=PROMPT,
        melody=one_hot(np.repeat(notes, 4)),
        seconds=seconds,
        seed=seed,
        guidance_scale=GUIDANCE_SCALE,
        do_sample=True,
        variations=variations,
    )


def _steps(engine: Engine, seconds: float) -> int:
    """Decoder steps of one piece."""
    delay = engine.num_codebooks // engine.audio_channels - 1
    return math.ceil(seconds * engine.frame_rate) + delay


def _time(engine: Engine, request: Request, *, in_turn: int) -> Timed:
    """Time one request, with a mark at each chunk, or every 25 steps where one chunk is all.

    The time between chunks includes the codec's work; for a single chunk, the codec works after
    the last mark.

    Args:
        in_turn: variations that are made one after the other; only the first has marks.
    """
    steps = _steps(engine, request.seconds)
    step_marks: list[Mark] = []
    chunk_marks: list[Mark] = []
    start = time.perf_counter()

    def progress(share: float) -> None:
        step_marks.append((round(share * steps * in_turn), time.perf_counter() - start))

    with engine.stream(request, progress=progress) as stream:
        for _ in stream:
            # A reported step may still run on the device; a chunk is complete.
            chunk_marks.append((step_marks[-1][0], time.perf_counter() - start))
    seconds = time.perf_counter() - start
    marks = chunk_marks
    if len(chunk_marks) == 1:
        marks = [mark for mark in step_marks if mark[0] <= steps][::STEPS_PER_MARK]
    return Timed((seconds,), tuple(marks))


def _rounded(value: Any) -> Any:
    """Round all figures to six digits: more are noise."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
