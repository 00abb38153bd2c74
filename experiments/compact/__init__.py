"""What a person runs of compact networks."""
