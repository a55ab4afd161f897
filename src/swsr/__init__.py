"""Super-resolution of shallow-water simulations, as stages of an HPC workflow."""

__version__ = "0.1.0"
