"""Take classes from logits: not every image gets one, for a logit may be NaN."""

from harness.networks.logits import predicted_classes, undefined

__all__ = ["predicted_classes", "undefined"]
