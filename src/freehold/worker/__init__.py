"""Floor 3: claims jobs and hands them to the services."""
