"""The commands around the daemon: they measure, check, and send."""
