"""One submission for one reader."""
