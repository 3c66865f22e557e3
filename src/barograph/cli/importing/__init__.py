"""Readings from files: how files are read, what their columns mean, how far an import is."""
