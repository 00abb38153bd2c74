"""Device placement: assign the ops of a network to devices so that a step takes least time."""
