"""TODO: harness/worker/kd"""
