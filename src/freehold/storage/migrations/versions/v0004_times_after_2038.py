"""Unix times and running numbers of 64 bits on PostgreSQL; those of SQLite were so from the beginning."""

import sqlalchemy as sa

_WIDER = {
    "keys": ("created", "revoked"),
    "responses": ("created",),
    "conversations": ("created",),
    "completions": ("number",),
    "files": ("number", "created", "expires"),
    "uploads": ("created", "expires"),
    "upload_parts": ("created",),
    "batches": ("number", "expires"),
    "webhook_endpoints": ("number",),
}


def upgrade(connection: sa.Connection) -> None:
    """Widen the columns, and what counts for them."""
    if connection.dialect.name != "postgresql":
        return
    for table, columns in _WIDER.items():
        for column in columns:
            connection.execute(sa.text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE BIGINT"))
            counter = connection.execute(sa.text(f"SELECT pg_get_serial_sequence('{table}', '{column}')")).scalar()
            if counter is not None:
                connection.execute(sa.text(f"ALTER SEQUENCE {counter} AS BIGINT"))
