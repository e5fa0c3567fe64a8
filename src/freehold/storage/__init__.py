"""Floor 1: the rows of every object, in SQL. Sync SQLAlchemy Core on dedicated threads."""
