"""What a person sees of the daemon."""
