"""Curves in three inks: characters, SVG, and the scales both need."""
