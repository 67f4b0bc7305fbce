"""TODO: plugins/harness_kd"""
