"""Dance charts: reading, writing, timing and judging them, and environments that write them."""
