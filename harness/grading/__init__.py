"""TODO: harness/grading"""
