"""Floor 2: the use cases, and the only place where the rooms meet."""
