"""Forward-only schema migrations, run when the database is opened."""
