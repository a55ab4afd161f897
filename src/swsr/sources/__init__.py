"""Readers of what users have: each gives one canonical dataset."""
