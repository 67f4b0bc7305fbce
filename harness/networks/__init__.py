"""A submission as a function from (weights, images) to logits, seen from the grader."""
