"""Student sources: read as text, sliced to the definitions that are needed, executed."""
