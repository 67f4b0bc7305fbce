"""Give points: for checks and metrics, by rank and by hand, less what lateness costs."""
