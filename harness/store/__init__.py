"""TODO: harness/store"""
