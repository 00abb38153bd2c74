"""Commands: the command line, and one module for each verb."""
