"""Training on a musician's own loops, and what that shares with the recipe of `pocket`."""
