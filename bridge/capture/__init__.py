"""Cuts takes out of what is heard: between bar lines, or from the first onset on."""
