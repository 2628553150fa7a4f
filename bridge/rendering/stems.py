"""The melody of a plan without its drums and bass, where it is a mix.

`prepare` decides, and hears nothing of a mix. Whoever separates it gives what is left to
`with_melody`, which hears that: `with_stems` does so in this process, the daemon in the engine's.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bridge.audio import Waveform
from bridge.errors import BridgeError, CheckpointUnusable, Unsupported
from bridge.melody import MOST_LOST_DB
from bridge.rendering.continuation import level_dbfs
from bridge.rendering.mix import Mix
from bridge.rendering.plan import RenderPlan, prepare
from bridge.timing import Take

MOST_CACHED_BYTES = 64 * 1024**2
"""Of melodies without drums and bass; eight bars take 3 MB."""
MISSING = (Unsupported, CheckpointUnusable)
"""The errors where Demucs or its weights are missing: `auto` then follows the mix."""


class StemsCache:
    """The newest melodies without drums and bass, up to 64 MB. For one thread at a time."""

    def __init__(self) -> None:
        self._melodies: OrderedDict[bytes, Waveform] = OrderedDict()

    def get(self, mix: Mix) -> Waveform | None:
        """What is left of that mix; None: it was not separated lately."""
        key = _key(mix.waveform)
        melody = self._melodies.get(key)
        if melody is not None:
            self._melodies.move_to_end(key)
        return melody

    def add(self, mix: Mix, melody: Waveform) -> None:
        """Keep what is left of a mix, and forget the oldest beyond the limit."""
        self._melodies[_key(mix.waveform)] = melody
        while sum(each.samples.nbytes for each in self._melodies.values()) > MOST_CACHED_BYTES:
            self._melodies.popitem(last=False)


def with_stems(
    plan: RenderPlan,
    progress: Callable[[str, float | None], None] = lambda doing, share: None,
    cache: StemsCache | None = None,
) -> RenderPlan:
    """The plan, with the melody's stems in place of the melody where `options.stems` says so.

    `auto` separates a recording that sounds like a mix; where that cannot be done here, the melody
    stays as it is. A remark says what was decided.

    Raises:
        Unsupported, CheckpointUnusable: stems are `on`, and Demucs or its weights are missing.
        SilentMelody: as `with_melody`.
        OutOfMemory: the melody does not fit the device.
    """
    mix = plan.mix
    if mix is None:
        return plan
    cache = StemsCache() if cache is None else cache
    melody = cache.get(mix)
    if melody is None:
        # Not earlier: a melody that sounds alone needs no torch here.
        from bridge.engine.stems import load_separator

        progress("loading htdemucs", None)
        try:
            # A clip that nobody asked to separate does not wait for the network.
            may_fetch = plan.options.stems == "on"
            separator = load_separator(plan.options.device, progress, may_fetch=may_fetch)
            melody = separator.melody_of(mix.waveform, progress)
        except MISSING as error:
            return without_stems(plan, mix, error)
        cache.add(mix, melody)
    return with_melody(plan, mix, melody)


def with_melody(plan: RenderPlan, mix: Mix, melody: Waveform) -> RenderPlan:
    """The plan, with what is left of the mix in place of it.

    A melody that is itself a bass or a drum stays as it is, unless stems are `on`.

    Args:
        melody: mono, of the mix's rate and frames.

    Raises:
        SilentMelody: nothing is left, or no note where the notes are to lead.
    """
    take = plan.take
    assert take is not None and isinstance(take.source, Waveform)
    lost_db = level_dbfs(mix.waveform.mono()) - level_dbfs(melody)
    if plan.options.stems == "auto" and lost_db > MOST_LOST_DB:
        return _heard(
            plan,
            take,
            f"{mix.found}, but hardly anything is left without them: it is followed as it is.",
        )
    # What is outside stays, so that the take has the same length in bars.
    samples = np.array(take.source.mono().samples)
    samples[mix.first_frame : mix.first_frame + melody.frames] = melody.samples
    remark = f"{mix.found}: it is followed without its drums and bass."
    separated = replace(
        take,
        source=Waveform(samples, take.source.sample_rate),
        remarks=(*take.remarks, remark),
    )
    return replace(_heard(plan, separated), is_separated=True)


def without_stems(plan: RenderPlan, mix: Mix, error: BridgeError) -> RenderPlan:
    """The plan with its mix as it is, because Demucs or its weights are missing.

    Raises:
        BridgeError: that error, where stems are `on`; as `prepare`.
    """
    if plan.options.stems == "on":
        raise error
    assert plan.take is not None
    return _heard(
        plan,
        plan.take,
        f"{mix.found}, as in a mix; it is followed as it is, because {error}.",
    )


def _heard(plan: RenderPlan, take: Take, *remarks: str) -> RenderPlan:
    """The plan of a mix, settled with what is heard in a take."""
    meant = plan.meant
    corrected = meant.notes if meant is not None and meant.is_corrected else None
    heard = prepare(replace(plan.options, seed=plan.seed), take, corrected, may_separate=False)
    return replace(heard, assumed=(*heard.assumed, *remarks))


def _key(mix: Waveform) -> bytes:
    digest = hashlib.sha256(f"{mix.sample_rate} {mix.channels}".encode())
    digest.update(np.ascontiguousarray(mix.samples).data)
    return digest.digest()
