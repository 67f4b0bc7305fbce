"""TODO: harness/assignment"""
