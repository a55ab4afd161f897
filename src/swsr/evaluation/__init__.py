"""What results are worth: figures of errors, of physics and of spectra, and their tables."""
