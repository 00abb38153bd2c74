"""Methods that serve any id."""
