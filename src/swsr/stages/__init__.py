"""One function per rule, of the same name: open, compute, write."""
