"""Adaptive softmax: cut a vocabulary into a head and tails so that training takes least time."""
