"""Benches of the learned codec."""
