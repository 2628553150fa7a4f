"""What is written beside a clip: its sidecar's fields, and the notes that led, as MIDI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__
from bridge.delivery import take_link
from bridge.delivery.notes_file import midi_bytes
from bridge.rendering import outputs
from bridge.rendering.meant import CORRECTED_FIELD, MOST_NOTES, NOTES_FIELD, note_fields
from bridge.rendering.plan import RenderPlan
from bridge.timing import Take

if TYPE_CHECKING:
    from bridge.clip import FinishedClip
    from bridge.rendering.render import EngineDescription, RenderedClip


def sidecar_fields(
    plan: RenderPlan,
    clip: RenderedClip,
    finished: FinishedClip,
    engine: EngineDescription,
    remarks: Sequence[str],
) -> dict[str, Any]:
    """The sidecar's fields: everything that makes the clip again, and its measurements.

    Args:
        remarks: sentences about how the clip was made, beside the plan's and the clip's own.
    """
    options = plan.options
    described = clip.as_json()
    # No path: the sidecar is beside the clip, and moves with it.
    del described["path"]
    return {
        **described,
        "made_by": f"melody-bridge {__version__}",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": _absolute_model(engine.model_name),
        "melody": options.melody and options.melody.absolute(),
        "take": options.melody and take_link(outputs.clip_folder(plan.out), options.melody),
        # As it was written: `prompt` has its placeholders filled in.
        "prompt_template": options.prompt,
        "continue_from": options.continue_from and options.continue_from.absolute(),
        "melody_tempo_bpm": plan.take and plan.take.tempo_bpm,
        NOTES_FIELD: note_fields(plan.notes),
        CORRECTED_FIELD: plan.meant is not None and plan.meant.is_corrected,
        # The exact tempo: `RenderedClip` has the nearest float.
        "tempo_bpm": plan.tempo_bpm,
        **options.sidecar_values(),
        # A remote engine's own, whatever the options say.
        "decoder": engine.decoder and _absolute_model(engine.decoder),
        "precision": engine.precision,
        "separated": plan.is_separated,
        "revision": engine.revision,
        "device": engine.device,
        "fitted": finished.fitted,
        "stretch_ratio": finished.stretch_ratio,
        "source_offset_seconds": finished.source_offset_seconds,
        "loudness_lufs": finished.loudness_lufs,
        "true_peak_dbtp": finished.true_peak_dbtp,
        "remarks": [*remarks, *plan.remarks, *finished.remarks],
    }


def notes_midi(plan: RenderPlan) -> bytes | None:
    """The MIDI file of the notes that led, of exactly the clip's bars; None: none did."""
    notes = plan.aligned.notes if plan.aligned is not None else None
    if not notes or len(notes) > MOST_NOTES:
        return None
    length_beats = plan.bars * plan.meter.beats_per_bar
    return midi_bytes(Take(notes, meter=plan.meter, length_beats=length_beats), plan.tempo_bpm)


def _absolute_model(model: str) -> str:
    """A model's name that holds from any working folder."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if model != "pocket" and folder.is_dir() else model
