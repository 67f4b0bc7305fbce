"""TODO: plugins/harness_similarity"""
