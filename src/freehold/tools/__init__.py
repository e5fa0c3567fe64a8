"""Floor 1: what the server does for a run: fetching what callers name, reading images and documents."""
