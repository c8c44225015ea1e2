"""Calcinosis: from a CT study to measured calcified masses, and what they mean."""

from importlib.metadata import version

__version__ = version("calcinosis")
