"""Conversations and their items, stored chat completions and their metadata; items are found by their ids."""

import sqlalchemy as sa


def upgrade(connection: sa.Connection) -> None:
    """Create the tables."""
    metadata = sa.MetaData()
    connection.execute(sa.text("CREATE INDEX ix_items_id ON items (id)"))
    sa.Table(
        "conversations",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    sa.Table(
        "conversation_items",
        metadata,
        sa.Column("conversation", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("conversation", "position", name="pk_conversation_items"),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name="fk_conversation_items_conversation", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("id", "conversation", name="uq_conversation_items_id_conversation"),
    )
    sa.Table(
        "completions",
        metadata,
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("messages", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_completions"),
        sa.UniqueConstraint("id", name="uq_completions_id"),
        sa.Index("ix_completions_project", "project"),
    )
    sa.Table(
        "completion_metadata",
        metadata,
        sa.Column("completion", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("completion", "key", name="pk_completion_metadata"),
        sa.ForeignKeyConstraint(
            ["completion"], ["completions.id"], name="fk_completion_metadata_completion", ondelete="CASCADE"
        ),
    )
    metadata.create_all(connection, checkfirst=False)
