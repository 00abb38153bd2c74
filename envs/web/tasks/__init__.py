"""Small tasks of our own: 160 x 210 pixels, the instruction on top, done in a few actions."""
