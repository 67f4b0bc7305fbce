"""TODO: harness/report"""
