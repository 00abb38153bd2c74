"""Neural networks written in torch, for capture as op graphs."""
