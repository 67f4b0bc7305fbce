"""Define what travels between rooms: frozen, validated, without behaviour but its own invariants."""
