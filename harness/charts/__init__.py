"""TODO: harness/charts"""
