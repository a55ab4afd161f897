"""The networks: the study's, ours, and those to compare with."""
