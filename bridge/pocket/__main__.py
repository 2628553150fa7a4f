"""Train `pocket` from scratch: `python -m bridge.pocket --folder training`.

The stages run in order, and each resumes where it was stopped: the codec, the codes of the corpus,
the decoder, the checkpoint, and a picture of the losses. Progress is also in `<folder>/train.log`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.pocket import checkpoint_folder, codec, curves, dataset, decoder
from bridge.pocket.corpus import HELD_OUT_SEEDS
from bridge.pocket.export import export, export_codec, extract_codec

STAGES = ("codec", "codes", "decoder", "export", "curves")


def main(argv: list[str] | None = None) -> int:
    """Run the requested stages."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    codec_seed, codes_seed = arguments.seed, arguments.seed + 1
    if {codec_seed, codes_seed} & set(HELD_OUT_SEEDS):
        parser.error(
            f"seed {arguments.seed}: training would draw the music that evaluation holds out "
            f"(seeds {codec_seed} and {codes_seed}); take another"
        )
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _logged(folder / "train.log"):
        _run(arguments, folder, codec_seed=codec_seed, codes_seed=codes_seed)
    return 0


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Log the progress to stderr, and append it to a file."""
    logger = logging.getLogger("bridge.pocket")
    handlers = (logging.StreamHandler(), logging.FileHandler(file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _run(arguments: argparse.Namespace, folder: Path, *, codec_seed: int, codes_seed: int) -> None:
    codec_folder = folder / "codec"
    if arguments.start is not None:
        extract_codec(arguments.start, codec_folder)
    elif "codec" in arguments.stages:
        codec_start = None
        if arguments.codec_start is not None:
            codec_start = folder / "codec-start"
            extract_codec(arguments.codec_start, codec_start)
        codec.train_codec(
            folder,
            codec.CodecTraining(
                steps=arguments.codec_steps,
                pieces=arguments.codec_pieces,
                seed=codec_seed,
                device=arguments.device,
                start=codec_start,
            ),
        )
        export_codec(folder / "codec.pt", codec_folder)
    if "codes" in arguments.stages:
        dataset.build(
            folder / "codes",
            codec_folder,
            shards=arguments.shards,
            shard_pieces=arguments.shard_pieces,
            seed=codes_seed,
        )
    if "decoder" in arguments.stages:
        decoder.train_decoder(
            folder,
            decoder.DecoderTraining(
                steps=arguments.decoder_steps,
                seed=arguments.seed,
                device=arguments.device,
                start=arguments.start,
                attention_steps=arguments.aim_steps,
            ),
        )
    if "export" in arguments.stages:
        export(folder / "decoder.pt", codec_folder, arguments.out)
    if "curves" in arguments.stages:
        curves.draw(sorted(folder.glob("*.log")), folder / "curves.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bridge.pocket", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("training"), help="states and logs")
    parser.add_argument("--out", type=Path, default=checkpoint_folder(), help="the checkpoint")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="CHECKPOINT",
        help="continue from a checkpoint: keep its codec, and train its decoder further",
    )
    parser.add_argument(
        "--codec-from",
        dest="codec_start",
        type=Path,
        metavar="CHECKPOINT",
        help="start from the codec of a checkpoint, with a new decoder",
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--codec-steps", type=int, default=codec.CodecTraining.steps)
    parser.add_argument("--codec-pieces", type=int, default=codec.CodecTraining.pieces)
    parser.add_argument("--decoder-steps", type=int, default=decoder.DecoderTraining.steps)
    parser.add_argument("--aim-steps", type=int, default=decoder.DecoderTraining.attention_steps)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument(
        "--shard-pieces",
        type=int,
        default=dataset.SHARD_PIECES,
        help="pieces per shard, at least 2; every sixth is long",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
