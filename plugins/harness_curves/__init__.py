"""TODO: plugins/harness_curves"""
