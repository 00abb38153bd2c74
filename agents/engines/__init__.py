"""Training engines: the embedded Stable-Baselines3 and the distributed RLlib."""
