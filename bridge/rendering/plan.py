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
from bridge.chroma import LONGEST_SECONDS, WINDOW_SECONDS
from bridge.clip import loop_surplus_seconds, surplus_seconds
from bridge.commands import FROM_MELODY
from bridge.config import MAX_SEED, Options, fill_prompt
from bridge.errors import BadArgument
from bridge.melody import (
    MIDI_SUFFIXES,
    OFFERED_SECONDS,
    AlignedMelody,
    TranscribedNote,
    align_to_bars,
    leading_silence_seconds,
    part_of,
    raw_melody,
    read_melody,
)
from bridge.rendering import outputs
from bridge.rendering.continuation import ContinuedClip, read_continued
from bridge.rendering.length import check_length
from bridge.rendering.meant import (
    SLOWEST_BPM,
    MeantMelody,
    leading_notes,
    meant_by,
    notes_may_lead,
)
from bridge.rendering.mix import Mix, find_mix
from bridge.timing import Meter, Note, Take, bars_to_seconds, first_meter, first_tempo

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
        continued: the clip that this one begins with and goes on from; None: none.
        notes: the notes that lead, in beats from the melody's first bar line; None: the recording
            leads by its own chroma, or there is no melody.
        meant: what was meant by the melody; None: there is none.
        is_separated: the melody is what a mix has without its drums and bass.
        mix: the melody's mix, which is to be separated first (`rendering.stems`): nothing of it is
            heard yet, so `aligned` and `notes` are missing, and tempo and prompt may change.
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
    continued: ContinuedClip | None = None
    is_separated: bool = False
    notes: tuple[Note, ...] | None = None
    meant: MeantMelody | None = None
    mix: Mix | None = None

    @property
    def bars(self) -> int:
        """Length of a clip; 0: the clips are raw."""
        return self.options.bars if self.options.raw_seconds is None else 0

    @property
    def clip_seconds(self) -> Fraction:
        """Exact duration of one clip."""
        if self.options.raw_seconds is not None:
            return Fraction(self.options.raw_seconds)
        return bars_to_seconds(self.options.bars, self.meter, self.tempo_bpm)

    @property
    def piece_seconds(self) -> float:
        """Audio that the engine makes for one clip, in seconds: the clip and its surplus.

        Of a clip that continues another, what comes after that one; a raw clip has no surplus.
        """
        if self.options.raw_seconds is not None:
            return self.options.raw_seconds
        if self.continued is not None:
            new_bars = self.options.bars - self.continued.bars
            new_seconds = float(bars_to_seconds(new_bars, self.meter, self.tempo_bpm))
            return min(new_seconds + loop_surplus_seconds(), LONGEST_SECONDS)
        return _piece_seconds(self.options.bars, self.tempo_bpm, self.meter)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was assumed, and how the melody was read, heard, cut or scaled, a sentence each."""
        aligned = self.aligned.remarks if self.aligned is not None else ()
        read = self.take.remarks if self.take is not None else ()
        continued = self.continued.remarks if self.continued is not None else ()
        meant = self.meant.remarks if self.meant is not None else ()
        return (*self.assumed, *continued, *read, *meant, *aligned)


def prepare(
    options: Options,
    take: Take | None = None,
    corrected: tuple[TranscribedNote, ...] | None = None,
    *,
    may_separate: bool = True,
) -> RenderPlan:
    """Read the melody and settle tempo, meter, prompt, seed and destination.

    Args:
        take: the melody, if it is already read; `options.melody` then only names its file.
        corrected: the notes of a recording, as a person has corrected them.
        may_separate: look for a mix, and leave its melody to `rendering.stems`; False: hear the
            recording as it is.

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
    if options.stems == "on" and (take is None or not isinstance(take.source, Waveform)):
        raise BadArgument("stems on: there is no recording to separate; name an audio file")
    continued = None
    if options.continue_from is not None:
        continued = read_continued(
            options.continue_from,
            bars=options.bars,
            tempo_bpm=options.asked_tempo_bpm,
            meter=options.meter,
        )
    meant = mix = remark = None
    if take is not None and may_separate:
        mix, remark = _mix_of(options, take, corrected, continued)
    if mix is not None:
        meant = MeantMelody(corrected or (), is_corrected=corrected is not None, key=options.key)
    elif take is not None:
        meant = meant_by(take, options, corrected)
        if meant.tempo_bpm is not None:
            take = replace(take, tempo_bpm=meant.tempo_bpm)
    tempo_bpm, meter = _clip_time(options, take, continued)
    if options.raw_seconds is None:
        check_length(options.bars, tempo_bpm, meter)
    seed = options.seed
    if seed is None:
        seed = secrets.randbelow(MAX_SEED - options.variations + 2)
    plan = RenderPlan(
        options,
        take,
        None,
        tempo_bpm,
        meter,
        _prompt(options, continued, meant, tempo_bpm),
        seed,
        out,
        () if remark is None else (remark,),
        continued,
        meant=meant,
        mix=mix,
    )
    if mix is not None:
        return plan
    assumed = (*_tempo_remarks(options, take, tempo_bpm), *plan.assumed)
    return replace(_with_melody(plan), assumed=assumed)


def _with_melody(plan: RenderPlan) -> RenderPlan:
    """The plan with its melody on the clip's bars."""
    options, take, meant = plan.options, plan.take, plan.meant
    if take is None or meant is None:
        return plan
    if options.raw_seconds is not None:
        aligned = raw_melody(
            take, seconds=options.raw_seconds, tempo_bpm=plan.tempo_bpm, lead=options.lead
        )
        return replace(plan, aligned=aligned)
    notes = leading_notes(
        meant, take, options, tempo_bpm=take.tempo_bpm or plan.tempo_bpm, meter=plan.meter
    )
    piece_seconds = _piece_seconds(options.bars, plan.tempo_bpm, plan.meter)
    if plan.continued is not None:
        # The model sees a window from the continued clip's end on.
        piece_seconds = min(piece_seconds + WINDOW_SECONDS, LONGEST_SECONDS)
    aligned = align_to_bars(
        take,
        bars=options.bars,
        tempo_bpm=plan.tempo_bpm,
        meter=plan.meter,
        piece_seconds=piece_seconds,
        lead=options.lead,
        notes=notes,
    )
    return replace(plan, aligned=aligned, notes=notes)


def _mix_of(
    options: Options,
    take: Take,
    corrected: tuple[TranscribedNote, ...] | None,
    continued: ContinuedClip | None,
) -> tuple[Mix | None, str | None]:
    """The mix to separate before anything is heard in a melody, as `find_mix`."""
    if not isinstance(take.source, Waveform):
        return None, None
    if corrected is not None and notes_may_lead(options):
        # The notes of a person lead, whatever sounds.
        return None, None
    tempo_bpm, meter = _clip_time(options, take, continued)
    followed_bpm = first_tempo(
        take.tempo_bpm, SLOWEST_BPM if options.tempo_bpm == FROM_MELODY else tempo_bpm
    )
    return find_mix(take, take.source, options, tempo_bpm=followed_bpm, meter=meter)


def _prompt(
    options: Options,
    continued: ContinuedClip | None,
    meant: MeantMelody | None,
    tempo_bpm: Fraction,
) -> str | None:
    """The model's text, its placeholders filled in.

    Raises:
        BadArgument: it asks for a key, and none is given.
    """
    if options.prompt is None:
        return continued.prompt if continued is not None and not options.unconditional else None
    return fill_prompt(
        options.prompt,
        tempo_bpm=tempo_bpm,
        key=options.asked_key if meant is None else meant.key,
        complete=options.raw_seconds is None,
    )


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


def _clip_time(
    options: Options, take: Take | None, continued: ContinuedClip | None
) -> tuple[Fraction, Meter]:
    """The clip's tempo and meter: those of the clip that it continues, else as `_time`."""
    if continued is not None:
        return continued.tempo_bpm, continued.meter
    return _time(options, take)


def _time(options: Options, take: Take | None) -> tuple[Fraction, Meter]:
    """The clip's tempo and meter: as given, else a MIDI file's, else the defaults."""
    asked_bpm = options.asked_tempo_bpm
    if take is None:
        return first_tempo(asked_bpm), first_meter(options.meter)
    if isinstance(take.source, Waveform):
        # A recording's own tempo decides the clip's only where that was asked for.
        own_bpm = take.tempo_bpm if options.tempo_bpm == FROM_MELODY else None
        return first_tempo(asked_bpm, own_bpm), first_meter(options.meter)
    return first_tempo(asked_bpm, take.tempo_bpm), first_meter(options.meter, take.meter)


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
    if options.raw_seconds is not None:
        return ()
    remarks = []
    is_audio = take is not None and isinstance(take.source, Waveform)
    if take is not None and is_audio and take.tempo_bpm is None and options.asked_tempo_bpm is None:
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


def _piece_seconds(bars: int, tempo_bpm: Fraction, meter: Meter) -> float:
    clip_seconds = float(bars_to_seconds(bars, meter, tempo_bpm))
    # The longest clips leave no room for the whole surplus: they get what fits.
    return min(clip_seconds + surplus_seconds(bars, tempo_bpm, meter), LONGEST_SECONDS)
