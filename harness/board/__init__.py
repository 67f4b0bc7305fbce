"""TODO: harness/board"""
