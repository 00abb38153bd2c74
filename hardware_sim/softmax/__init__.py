"""Adaptive softmax: what an output layer costs, and where to cut the vocabulary (Grave et al.)."""
