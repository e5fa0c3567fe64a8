"""The kinds of embedders: what turns texts into vectors."""
