"""Supervised models that score."""
