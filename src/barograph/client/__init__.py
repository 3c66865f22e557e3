"""A typed Python client, sync and async."""
