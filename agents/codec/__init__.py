"""Training of the learned codec."""
