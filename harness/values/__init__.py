"""TODO: harness/values"""
