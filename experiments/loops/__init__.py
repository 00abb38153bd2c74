"""What a person runs of loop scheduling."""
