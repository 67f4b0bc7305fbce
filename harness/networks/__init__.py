"""Ask a submission as a function from (weights, images) to logits, from the grader's side."""
