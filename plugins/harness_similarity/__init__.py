"""Similarity: submissions of a class whose weights have one origin."""
