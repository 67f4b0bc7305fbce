"""TODO: harness/data"""
