"""Heating a room: the example of a domain."""
