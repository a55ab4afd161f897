"""From one grid to another: interpolation, coarse copies, and what is consistent with them."""
