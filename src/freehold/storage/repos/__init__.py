"""The queries of each noun."""
