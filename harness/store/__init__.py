"""Keep results, decisions and weights: append-only, in SQLite or PostgreSQL."""
