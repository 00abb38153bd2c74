"""What a person runs of dance charts."""
