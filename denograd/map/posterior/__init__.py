"""What the fitted rows teach of their values: the parts of `solver="auto"`, and how they are weighed."""
