"""Builds the program from settings; the only room that names a concrete store."""
