"""`melody-bridge finetune`: teaches a checkpoint the sound of a folder of audio."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config.options import OPTIONS
from bridge.config.readers import DEVICE, Reader, ints, numbers
from bridge.errors import BadArgument
from bridge.tools.new_checkpoint import add_json, add_out, print_result
from bridge.tools.progress_bar import progress_bar
from bridge.training.sources import list_sources

if TYPE_CHECKING:
    from bridge.training.finetune import FineTuned

_RANGES: dict[str, Reader] = {
    "steps": ints(1, 1_000_000),
    "batch_size": ints(1, 256),
    "rate": numbers(1e-7, 1e-1),
    "lora_rank": ints(1, 512),
    "stems": OPTIONS["stems"].reader,
    "prior": ints(0, 10_000),
    "evaluations": ints(1, 1000),
    "seed": ints(0, 2**31 - 1),
    "device": DEVICE,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("sources", metavar="FOLDER", help="audio files, with captions or names")
    add_out(parser, "; OUT.training beside it")
    parser.add_argument(
        "--base",
        metavar="MODEL",
        default="pocket",
        help="the checkpoint to start with: pocket, a folder, or a Hugging Face id (pocket)",
    )
    parser.add_argument("--word", help="a word of its own for this sound, before every caption")
    parser.add_argument("--steps", metavar="N", default="400", help="at most (400)")
    parser.add_argument(
        "--batch-size", metavar="N", default="4", help="pieces of up to 10 s a step (4)"
    )
    parser.add_argument(
        "--rate", metavar="X", help="peak of the learning rate (1e-4; with a LoRA 1e-3)"
    )
    parser.add_argument(
        "--lora", dest="lora_rank", metavar="RANK", help="train a LoRA instead of the whole decoder"
    )
    parser.add_argument(
        "--stems",
        metavar="WHEN",
        default="auto",
        help="find the melody without drums and bass: auto, where the audio is a mix and the extra "
        "stems is installed; on; off (auto)",
    )
    parser.add_argument(
        "--prior",
        metavar="N",
        default="24",
        help="clips of the base that keep what it can; 0: none, for a sound without a word (24)",
    )
    parser.add_argument(
        "--evaluations", metavar="N", default="8", help="how often to evaluate and save (8)"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="of the draws (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (auto)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train; return the exit status.

    Raises:
        BadArgument, CheckpointUnusable, DiskFull, NotWritable, OutOfMemory, Unsupported: as
            `bridge.training.finetune.finetune`.
    """
    values: dict[str, Any] = {"word": arguments.word}
    for name, reader in _RANGES.items():
        given = getattr(arguments, name)
        if given is not None:
            flag = "lora" if name == "lora_rank" else name.replace("_", "-")
            values[name] = reader.read(f"--{flag}", given)
    sources, out = Path(arguments.sources).expanduser(), Path(arguments.out).expanduser()
    # Before torch, which takes seconds to import.
    list_sources(sources)
    if out.exists():
        raise BadArgument(f"{str(out)!r} exists; give a new folder")
    from bridge.training.finetune import finetune
    from bridge.training.tuning_run import FineTuning

    work = out.with_name(f"{out.name}.training")
    work.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger("bridge.training")
    handler = logging.FileHandler(work / "train.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        with progress_bar() as show:
            done = finetune(sources, arguments.base, out, FineTuning(**values), show)
    finally:
        log.removeHandler(handler)
        handler.close()
    return print_result(done, _lines(done, work), as_json=arguments.json)


def _lines(done: FineTuned, work: Path) -> list[str]:
    lines = [
        f"{done.folder}: {done.pieces} pieces trained on, {done.held_out} held out; {done.stopped}",
        "  step   held-out loss   melody similarity",
    ]
    for each in done.evaluations:
        mark = "  kept" if each == done.best else ""
        lines.append(f"{each.step:6}{each.loss:16.4f}{each.similarity:20.3f}{mark}")
    lines += [f"  {remark}" for remark in done.remarks]
    lines += [f"  left out {skipped.path}: {skipped.reason}" for skipped in done.skipped]
    lines.append(f"  samples, state and log: {work}")
    return lines
