"""TODO: plugins/harness_sizes"""
