"""The distillation loss beside student code: found, its arguments read, run on probes."""
