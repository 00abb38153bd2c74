"""What a person runs of the adaptive softmax."""
