"""Report one submission to one reader."""
