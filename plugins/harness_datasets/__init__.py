"""TODO: plugins/harness_datasets"""
