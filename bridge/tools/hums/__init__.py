"""Made hums with known notes, and how well their transcription finds these notes."""
