"""Freehold: the whole OpenAI API, on hardware you own."""

__version__ = "0.1.0"
