"""The distillation loss beside student code: found, its arguments read, run on probes.

The check sends `answer.answer` into the sandbox, and judges what comes back with the modules above this package.
"""
