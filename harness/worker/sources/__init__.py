"""TODO: harness/worker/sources"""
