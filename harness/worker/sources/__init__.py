"""Read student sources: as text, sliced to the definitions that are needed, executed."""
