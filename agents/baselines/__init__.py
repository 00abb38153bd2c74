"""Agents that need no training: heuristics and search."""
