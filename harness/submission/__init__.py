"""TODO: harness/submission"""
