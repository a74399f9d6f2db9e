"""What single precision can tell of a dual, whoever solves it."""

SINGLE_SPREAD = 0.1
"""Below this mean of 1 - k, single precision cannot tell the kernel's entries apart to the accuracy promised."""

AT_BOUND = 1e-5
"""A weight this close to one of its bounds counts as at it."""
