"""What a person runs on pictures."""
