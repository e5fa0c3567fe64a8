"""The search index of vector stores: in memory, exact, made of their rows."""
