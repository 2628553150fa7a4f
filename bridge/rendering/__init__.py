"""From options to clips on disk: the way that `render` and the daemon share."""
