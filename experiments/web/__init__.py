"""What a person runs of the web."""
