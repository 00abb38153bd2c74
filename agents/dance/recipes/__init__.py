"""Training of the networks of dance charts."""
