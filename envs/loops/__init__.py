"""Loop scheduling: order, split, vectorise and unroll the loops of a kernel."""
