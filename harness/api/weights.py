"""Count and compare handed-in weights: masks, tied weights and running statistics told apart."""

from harness.networks.weights import is_statistic, live_masks, nonzero_elements, stored_elements, stored_tensors, twins

__all__ = [
    "is_statistic",
    "live_masks",
    "nonzero_elements",
    "stored_elements",
    "stored_tensors",
    "twins",
]
