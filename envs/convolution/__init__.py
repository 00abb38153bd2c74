"""Tuning real convolution kernels."""
