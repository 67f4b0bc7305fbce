"""Find submissions of a class whose weights may have one origin."""
