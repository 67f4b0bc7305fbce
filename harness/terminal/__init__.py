"""Show things by rich, for the command line and notebooks: tables, reports, curves, progress."""
