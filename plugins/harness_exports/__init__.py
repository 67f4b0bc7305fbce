"""Points for other systems: CSV, Canvas, Moodle, Gradescope."""
