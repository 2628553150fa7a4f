"""Cuts takes from the recorded input: between bar lines, or from the first onset on."""
