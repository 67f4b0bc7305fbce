"""TODO: harness/points"""
