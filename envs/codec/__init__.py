"""Learned image compression: a small network, its entropy model, and how pictures are judged."""
