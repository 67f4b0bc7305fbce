"""TODO: harness/networks"""
