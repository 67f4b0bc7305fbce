"""What is kept: results, decisions and weights, append-only, in SQLite or PostgreSQL."""
