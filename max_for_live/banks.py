"""The pages of parameters on Push."""

from __future__ import annotations

BANKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Play",
        (
            "Hum to Clip",
            "Generate",
            "Bars",
            "Variations",
            "Guidance",
            "Temperature",
            "Seed",
            "Lock Seed",
        ),
    ),
    (
        "Clips",
        (
            "Launch A",
            "Launch B",
            "Launch C",
            "Launch D",
            "Auto Launch",
            "Launch Quantization",
            "Cancel",
            "Thru",
        ),
    ),
    (
        "Melody",
        (
            "Capture",
            "Last Bars",
            "From Clip",
            "No Melody",
            "Song Scale",
            "Loop",
            "Freeze",
            "To MIDI",
        ),
    ),
)
"""Parameters of Push's eight encoders, bank by bank."""
