"""Commands for loop scheduling."""
