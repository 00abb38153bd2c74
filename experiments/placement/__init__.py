"""What a person runs of device placement."""
