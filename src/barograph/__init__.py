"""Barograph, a self-hosted telemetry server."""

from importlib.metadata import version

__version__ = version("barograph")
