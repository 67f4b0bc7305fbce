"""Decode weights formats: PyTorch's, safetensors, NumPy's, and HW7's pickles."""
