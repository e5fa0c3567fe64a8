"""Conversations and their items, stored chat completions and their metadata; items are found by their ids."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_index("ix_items_id", "items", ["id"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_table(
        "conversation_items",
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
    op.create_table(
        "completions",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("messages", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_completions"),
        sa.UniqueConstraint("id", name="uq_completions_id"),
    )
    op.create_index("ix_completions_project", "completions", ["project"])
    op.create_table(
        "completion_metadata",
        sa.Column("completion", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("completion", "key", name="pk_completion_metadata"),
        sa.ForeignKeyConstraint(
            ["completion"], ["completions.id"], name="fk_completion_metadata_completion", ondelete="CASCADE"
        ),
    )
