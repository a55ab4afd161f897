"""Maps, curves and pictures of frames and figures."""
