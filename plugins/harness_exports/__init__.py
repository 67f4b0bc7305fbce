"""TODO: plugins/harness_exports"""
