"""How many channels to keep of each feature map of a network."""
