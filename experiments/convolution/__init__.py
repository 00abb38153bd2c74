"""What a person runs of tuning convolution kernels."""
