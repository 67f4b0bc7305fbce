"""Export points to other systems: CSV, Canvas, Moodle, Gradescope."""
