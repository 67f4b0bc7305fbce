"""TODO: plugins/harness_formats"""
