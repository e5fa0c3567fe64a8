"""Vector stores, their files and chunks, and the parsed form of files."""

import sqlalchemy as sa


def upgrade(connection: sa.Connection) -> None:
    """Create the tables."""
    metadata = sa.MetaData()
    _stores(metadata)
    _files(metadata)
    _chunks(metadata)
    metadata.create_all(connection, metadata.sorted_tables, False)


def _long() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _stores(metadata: sa.MetaData) -> None:
    sa.Table(
        "vector_stores",
        metadata,
        sa.Column("number", _long(), nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("expires", _long()),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("version", _long(), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_vector_stores"),
        sa.UniqueConstraint("id", name="uq_vector_stores_id"),
        sa.Index("ix_vector_stores_project", "project"),
        sa.Index("ix_vector_stores_expires", "expires"),
    )
    sa.Table(
        "vector_store_batches",
        metadata,
        sa.Column("number", _long(), nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("store", sa.String, nullable=False),
        sa.Column("created", _long(), nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_vector_store_batches"),
        sa.UniqueConstraint("id", name="uq_vector_store_batches_id"),
        sa.ForeignKeyConstraint(
            ["store"], ["vector_stores.id"], name="fk_vector_store_batches_store", ondelete="CASCADE"
        ),
        sa.Index("ix_vector_store_batches_store", "store"),
    )


def _files(metadata: sa.MetaData) -> None:
    sa.Table(
        "vector_store_files",
        metadata,
        sa.Column("number", _long(), nullable=False),
        sa.Column("store", sa.String, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("batch", sa.String),
        sa.Column("created", _long(), nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("attributes", sa.LargeBinary, nullable=False),
        sa.Column("chunking", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.LargeBinary),
        sa.Column("mark", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_vector_store_files"),
        sa.UniqueConstraint("store", "file", name="uq_vector_store_files_store_file"),
        sa.ForeignKeyConstraint(
            ["store"], ["vector_stores.id"], name="fk_vector_store_files_store", ondelete="CASCADE"
        ),
        sa.Index("ix_vector_store_files_file", "file"),
        sa.Index("ix_vector_store_files_batch", "batch"),
        sa.Index("ix_vector_store_files_store_status", "store", "status"),
    )
    sa.Table(
        "vector_store_attributes",
        metadata,
        sa.Column("entry", _long(), nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("text", sa.String),
        sa.Column("value", sa.Float),
        sa.Column("flag", sa.Boolean),
        sa.PrimaryKeyConstraint("entry", "key", name="pk_vector_store_attributes"),
        sa.ForeignKeyConstraint(
            ["entry"], ["vector_store_files.number"], name="fk_vector_store_attributes_entry", ondelete="CASCADE"
        ),
    )


def _chunks(metadata: sa.MetaData) -> None:
    sa.Table(
        "chunks",
        metadata,
        sa.Column("number", _long(), nullable=False),
        sa.Column("entry", _long(), nullable=False),
        sa.Column("store", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_chunks"),
        sa.UniqueConstraint("entry", "position", name="uq_chunks_entry_position"),
        sa.ForeignKeyConstraint(["entry"], ["vector_store_files.number"], name="fk_chunks_entry", ondelete="CASCADE"),
        sa.Index("ix_chunks_store", "store"),
    )
    sa.Table(
        "parsed_files",
        metadata,
        sa.Column("file", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_parsed_files"),
    )
