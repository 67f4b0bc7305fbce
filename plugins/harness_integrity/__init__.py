"""TODO: plugins/harness_integrity"""
