"""Builds the program from settings."""
