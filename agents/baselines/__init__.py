"""Heuristics and search, by domain."""
