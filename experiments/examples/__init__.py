"""One small program a library: each trains on an environment here in under a minute."""
