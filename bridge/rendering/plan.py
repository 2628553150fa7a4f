"""The plan of a render: everything that is settled and checked before the model is loaded.

Every mistake in the options and the melody is found here, without torch.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

from bridge.audio import Waveform
from bridge.chroma import LONGEST_SECONDS
from bridge.clip import surplus_seconds
from bridge.config import MAX_SEED, Options, fill_prompt
from bridge.errors import Unsupported
from bridge.melody import (
    MIDI_SUFFIXES,
    OFFERED_SECONDS,
    AlignedMelody,
    align_to_bars,
    leading_silence_seconds,
    part_of,
    read_melody,
)
from bridge.rendering import outputs
from bridge.timing import Meter, Take, bars_text, bars_to_seconds, first_meter, first_tempo

DEMO_MELODY = Path(str(files("bridge"))) / "data" / "twinkle-hum-100bpm.flac"
DEMO_SEED = 11


@dataclass(frozen=True, eq=False)
class RenderPlan:
    """A render whose options, melody and destination have passed every check without the model.

    Attributes:
        options: what was asked for.
        take: the melody as it was read; None: none.
        aligned: the melody on the clip's bars; None: none.
        tempo_bpm, meter: the clip's.
        prompt: the model's text, tempo and key filled in; None: none.
        seed: of the first variation.
        out: the folder, or the `.wav` file, that the clips go to; absolute.
        assumed: a sentence for each tempo that was assumed, or that the prompt contradicts.
    """

    options: Options
    take: Take | None
    aligned: AlignedMelody | None
    tempo_bpm: Fraction
    meter: Meter
    prompt: str | None
    seed: int
    out: Path
    assumed: tuple[str, ...] = ()

    @property
    def clip_seconds(self) -> Fraction:
        """Exact duration of one clip."""
        return bars_to_seconds(self.options.bars, self.meter, self.tempo_bpm)

    @property
    def piece_seconds(self) -> float:
        """Audio that the engine makes for one clip, in seconds: the clip and its surplus."""
        return _piece_seconds(self.options.bars, self.tempo_bpm, self.meter)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was assumed, and how the melody was read, cut or scaled, a sentence each."""
        aligned = self.aligned.remarks if self.aligned is not None else ()
        read = self.take.remarks if self.take is not None else ()
        return (*self.assumed, *read, *aligned)


def prepare(options: Options, take: Take | None = None) -> RenderPlan:
    """Read the melody and settle tempo, meter, prompt, seed and destination.

    Args:
        take: the melody, if it is already read; `options.melody` then only names its file.

    Raises:
        BadArgument: the destination cannot be used, or the prompt asks for a key and none is given.
        UnreadableFile, SilentMelody: the melody cannot be followed.
        Unsupported: the clip is longer than 600 s, or there is no matplotlib to draw with.
    """
    out = (options.out or outputs.clips_folder()).absolute()
    outputs.clip_folder(out)
    if options.plot is not None:
        outputs.check_plot(options.plot)
    if take is None and options.melody is not None:
        take = _read(options, options.melody)
    tempo_bpm, meter = _time(options, take)
    _check_length(options.bars, tempo_bpm, meter)
    prompt = options.prompt
    if prompt is not None:
        prompt = fill_prompt(prompt, tempo_bpm=tempo_bpm, key=options.key)
    seed = options.seed
    if seed is None:
        seed = secrets.randbelow(MAX_SEED - options.variations + 2)
    aligned = None
    if take is not None:
        aligned = align_to_bars(
            take,
            bars=options.bars,
            tempo_bpm=tempo_bpm,
            meter=meter,
            piece_seconds=_piece_seconds(options.bars, tempo_bpm, meter),
            lead=options.lead,
        )
    assumed = _tempo_remarks(options, take, tempo_bpm)
    return RenderPlan(options, take, aligned, tempo_bpm, meter, prompt, seed, out, assumed)


def demo_options(out: Path = Path("melody-bridge-demo"), plot: Path | None = None) -> Options:
    """Options for the demo: the bundled hum, four bars at its own tempo, the embedded model."""
    return Options(
        melody=DEMO_MELODY,
        melody_tempo_bpm=Fraction(100),
        tempo_bpm=Fraction(100),
        key="C major",
        prompt="warm electric piano, bass and drums, {tempo} bpm, {key}",
        seed=DEMO_SEED,
        out=out,
        plot=plot,
    )


def _time(options: Options, take: Take | None) -> tuple[Fraction, Meter]:
    """The clip's tempo and meter: as given, else a MIDI file's, else the defaults."""
    # A recording's own tempo does not decide the clip's.
    if take is None or isinstance(take.source, Waveform):
        return first_tempo(options.tempo_bpm), first_meter(options.meter)
    return first_tempo(options.tempo_bpm, take.tempo_bpm), first_meter(options.meter, take.meter)


def _read(options: Options, melody: Path) -> Take:
    """The part of the melody's file that the clip follows."""
    # MIDI notes are in beats: the tempo they were played at changes nothing.
    is_midi = melody.suffix.lower() in MIDI_SUFFIXES
    own_tempo_bpm = None if is_midi else options.melody_tempo_bpm
    take = read_melody(melody, tempo_bpm=own_tempo_bpm, track=options.track)
    tempo_bpm, meter = _time(options, take)
    take = part_of(
        take,
        start=options.melody_start,
        length=options.melody_length,
        trim=options.trim,
        tempo_bpm=first_tempo(take.tempo_bpm, tempo_bpm),
        meter=meter,
    )
    silence_seconds = leading_silence_seconds(take)
    if is_midi or silence_seconds < OFFERED_SECONDS:
        return take
    offer = (
        f"{take.name} begins with {float(silence_seconds):.2f} s of silence, which count as a "
        "rest: --trim cuts them."
    )
    return replace(take, remarks=(*take.remarks, offer))


def _tempo_remarks(options: Options, take: Take | None, tempo_bpm: Fraction) -> tuple[str, ...]:
    remarks = []
    is_audio = take is not None and isinstance(take.source, Waveform)
    if take is not None and is_audio and take.tempo_bpm is None and options.tempo_bpm is None:
        remarks.append(
            f"The tempo of {take.name} is not known, so {float(tempo_bpm):g} bpm is assumed for "
            "melody and clip: name the melody's with --tempo (OSC: tempo_bpm)."
        )
    for named in re.findall(r"(?<![\w.])(\d{2,3}(?:\.\d+)?) ?bpm\b", options.prompt or "", re.I):
        # Models know tempo as a whole number.
        if abs(Fraction(named) - tempo_bpm) >= 1:
            remarks.append(
                f"The prompt names {named} bpm and the clip has {float(tempo_bpm):g}: write "
                f"{{tempo}} bpm in the prompt, or ask for a clip of --tempo {named}."
            )
    return tuple(remarks)


def _check_length(bars: int, tempo_bpm: Fraction, meter: Meter) -> None:
    seconds = bars_to_seconds(bars, meter, tempo_bpm)
    if seconds <= LONGEST_SECONDS:
        return
    most = int(Fraction(LONGEST_SECONDS) / bars_to_seconds(1, meter, tempo_bpm))
    remedy = f"ask for {bars_text(most)} or fewer" if most else "ask for a faster tempo"
    raise Unsupported(
        f"{bars_text(bars)} of {meter} at {float(tempo_bpm):g} bpm are {float(seconds):.1f} s, and "
        f"a clip has {LONGEST_SECONDS:g} s at most: {remedy}"
    )


def _piece_seconds(bars: int, tempo_bpm: Fraction, meter: Meter) -> float:
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    # The longest clips leave no room for the whole surplus: they get what fits.
    return min(clip_seconds + surplus_seconds(bars, tempo_bpm, meter), LONGEST_SECONDS)
