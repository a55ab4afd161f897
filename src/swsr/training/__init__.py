"""How networks are trained: samples, steps, losses, first layers from elsewhere, results."""
