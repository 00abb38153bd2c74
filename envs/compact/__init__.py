"""Compacting networks: choose the number of channels to keep of each feature map."""
