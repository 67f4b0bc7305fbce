"""The images that networks are measured on: read, resized, split, drawn from."""
