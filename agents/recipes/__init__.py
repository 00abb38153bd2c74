"""How the shipped weights are made, a module a domain."""
