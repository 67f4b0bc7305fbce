"""Run the distillation loss beside student code: find it, read its arguments, try it on probes.

The check sends `answer.answer` into the sandbox, and judges what comes back with the modules above this package.
"""
