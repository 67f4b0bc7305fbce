"""Check the distillation loss: reference, catalogue of mistakes, diagnosis, verdict."""
