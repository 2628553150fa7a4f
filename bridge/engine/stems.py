"""Stems of a melody: Demucs separates a mix, and voices and other instruments are kept.

As transformers documents for MusicGen Melody: the stems 3 (vocals) and 2 (other) of `htdemucs` are
summed and mixed to mono. The extra `stems` installs Demucs; its weights come from Hugging Face.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from bridge.audio import Waveform
from bridge.engine.device import oom_as_error, resolve_device
from bridge.engine.hub_file import hub_file
from bridge.errors import BridgeError, CheckpointUnusable, Unsupported

REPOSITORY = "adefossez/HTDemucs"
"""Where Demucs 4.1 itself finds `htdemucs` (its hf.py)."""
WEIGHTS = "955717e8.safetensors"
"""The one model of Demucs's `htdemucs.yaml`, 84 MB."""
SOURCES = ["drums", "bass", "other", "vocals"]
KEPT = (3, 2)
"""transformers' `stem_indices`: vocals and other."""
OVERLAP = 0.25
"""Of the segments that a longer melody is separated in: Demucs's own default."""
FETCHING = "fetching htdemucs, 84 MB"
SEPARATING = "separating the melody"
_CLASS = "demucs.htdemucs.HTDemucs"
_QUIET = 1e-8

OnProgress = Callable[[str, float | None], None]
"""Called with `FETCHING` or `SEPARATING`, and the share of it that is done, 0…1; None: not known.
An error that it raises ends the work."""


def load_separator(
    device: str | None,
    progress: OnProgress = lambda doing, share: None,
    *,
    may_fetch: bool = True,
) -> Separator:
    """Load `htdemucs`, from where `weights_file` finds it; the newest stays loaded.

    Args:
        device: as for `bridge.engine.load`.
        progress: called while the weights are fetched.
        may_fetch: whether weights that are not on this machine are fetched from the network.

    Raises:
        Unsupported: Demucs is not installed.
        CheckpointUnusable: the weights are not here, or cannot be fetched or read.
        OutOfMemory: they do not fit the device.
    """
    try:
        import demucs.htdemucs  # noqa: F401
    except ImportError as error:
        raise Unsupported(
            f"stems need Demucs ({error}): pip install 'melody-bridge[stems]', or leave the melody "
            "as it is with --stems off (OSC: stems off)"
        ) from error
    file = weights_file(lambda share: progress(FETCHING, share), fetch=may_fetch)
    return _loaded(file, resolve_device(device))


def weights_file(
    progress: Callable[[float | None], None] = lambda share: None, *, fetch: bool = True
) -> Path:
    """The safetensors of `htdemucs`: from Hugging Face's cache, else fetched into it.

    A file of that name in the cache's folder itself comes first, so that it can be copied
    to a machine without a network.

    Args:
        progress, fetch: as for `hub_file`.

    Raises:
        CheckpointUnusable: they are in neither place, and cannot be fetched.
    """
    from huggingface_hub import constants

    copied = Path(constants.HF_HUB_CACHE) / WEIGHTS
    if copied.is_file():
        return copied
    try:
        return hub_file(REPOSITORY, WEIGHTS, progress, fetch=fetch)
    except BridgeError:
        raise
    except Exception as error:
        if not fetch:
            raise CheckpointUnusable(
                "the weights of htdemucs are not on this machine yet: --stems on (OSC: stems on) "
                "fetches them from Hugging Face, 84 MB"
            ) from error
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointUnusable(
            f"the weights of htdemucs are not on this machine and cannot be fetched from Hugging "
            f"Face ({reason}): check the network, copy {WEIGHTS} of {REPOSITORY} to "
            f"{str(copied.parent)!r}, or use --stems off (OSC: stems off)"
        ) from error


class Separator:
    """A loaded `HTDemucs`; one call at a time."""

    def __init__(self, model: Any) -> None:
        """Args:
        model: with the four sources of `SOURCES`, in any number type, on its device.
        """
        self._model = model

    def melody_of(
        self, mix: Waveform, progress: OnProgress = lambda doing, share: None
    ) -> Waveform:
        """What is left of a mix without drums and bass: mono, of the mix's own rate and frames.

        The same mix has the same stems: no random shifts.

        Args:
            progress: called before and after each segment of some seconds.

        Raises:
            OutOfMemory: it does not fit the device.
            CheckpointUnusable: the weights make values that are not finite.
        """
        stems = self.separate(mix, progress)
        if not torch.isfinite(stems).all():
            raise CheckpointUnusable(
                f"htdemucs makes values that are not finite: remove {WEIGHTS} from Hugging Face's "
                "cache and fetch it again"
            )
        melody = kept_stems(stems, int(self._model.samplerate)).resampled(mix.sample_rate).samples
        # Resampling there and back may cost or add a frame.
        missing = max(0, mix.frames - len(melody))
        return Waveform(np.pad(melody[: mix.frames], ((0, missing), (0, 0))), mix.sample_rate)

    @torch.inference_mode()
    def separate(
        self, mix: Waveform, progress: OnProgress = lambda doing, share: None
    ) -> torch.Tensor:
        """All stems, float32 `[4, 2, frames]` on the CPU, in the order of `SOURCES`."""
        from demucs.apply import apply_model

        rate = int(self._model.samplerate)
        samples: NDArray[np.float32] = mix.stereo().resampled(rate).samples
        wav = torch.from_numpy(np.ascontiguousarray(samples.T))
        # Demucs's own levelling (api.py, `separate_tensor`).
        mean, deviation = wav.mean(), wav.mean(0).std() + _QUIET
        device = next(self._model.parameters()).device
        # As `apply_model` counts them.
        segment = int(rate * self._model.segment)
        segments = math.ceil(wav.shape[1] / int((1 - OVERLAP) * segment))
        done = 0

        def on_segment(state: dict[str, Any]) -> None:
            nonlocal done
            done += state["state"] == "end"
            progress(SEPARATING, done / segments)

        with oom_as_error(f"stems of {mix.seconds:.3g} seconds on {device}; give a shorter melody"):
            stems = apply_model(
                self._model,
                ((wav - mean) / deviation)[None],
                shifts=0,
                overlap=OVERLAP,
                device=device,
                callback=on_segment,
            )[0]
        separated: torch.Tensor = stems.cpu() * deviation + mean
        return separated


def kept_stems(stems: torch.Tensor, sample_rate: int) -> Waveform:
    """The stems that transformers keeps, summed, and their channels' mean: mono.

    Args:
        stems: float32 `[4, channels, frames]`.
    """
    mono = stems[list(KEPT)].sum(0).mean(0)
    return Waveform(np.ascontiguousarray(mono.numpy())[:, None], sample_rate)


@lru_cache(maxsize=1)
def _loaded(weights: Path, device: torch.device) -> Separator:
    from demucs.htdemucs import HTDemucs

    model = _read(weights, HTDemucs)
    with oom_as_error(f"htdemucs does not fit {device}; use --device cpu, or --stems off"):
        return Separator(model.to(device).eval())


def _read(weights: Path, model_class: Any) -> Any:
    """The model of a safetensors file, whose metadata has its arguments as JSON.

    Demucs's own reader imports whatever class the file names; this one takes only `HTDemucs`.

    Raises:
        CheckpointUnusable: the file is broken, or another model.
    """
    try:
        with safe_open(weights, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if metadata.get("klass") != _CLASS or "structure" in metadata:
            raise ValueError(f"it is a {metadata.get('klass', 'file without a class')}")
        arguments = json.loads(metadata["args"], object_hook=_fraction)
        model = model_class(*arguments, **json.loads(metadata["kwargs"], object_hook=_fraction))
        if list(model.sources) != SOURCES or model.audio_channels != 2:
            raise ValueError(f"its stems are {', '.join(model.sources)}")
        model.load_state_dict(state)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointUnusable(
            f"htdemucs cannot be read from {weights.name} ({reason}): remove it from Hugging "
            "Face's cache and fetch it again"
        ) from error
    return model.float()


def _fraction(fields: dict[str, Any]) -> Any:
    if fields.get("_type") == "fraction":
        return Fraction(fields["numerator"], fields["denominator"])
    return fields
