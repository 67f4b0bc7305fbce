"""TODO: harness/terminal"""
