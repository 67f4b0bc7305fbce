"""Read the images that networks are measured on: decoded, resized, split, drawn from."""
