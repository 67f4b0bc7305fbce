"""The distillation loss: reference, catalogue of mistakes, diagnosis, verdict."""
