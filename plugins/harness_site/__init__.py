"""TODO: plugins/harness_site"""
