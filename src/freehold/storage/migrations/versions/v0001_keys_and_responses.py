"""Keys, responses and their items."""

import sqlalchemy as sa


def upgrade(connection: sa.Connection) -> None:
    """Create the first tables."""
    metadata = sa.MetaData()
    sa.Table(
        "keys",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("hint", sa.String, nullable=False),
        sa.Column("owner", sa.Boolean, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("revoked", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
    )
    sa.Table(
        "responses",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("previous", sa.String),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_responses"),
    )
    sa.Table(
        "items",
        metadata,
        sa.Column("response", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("output", sa.Boolean, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("response", "position", name="pk_items"),
        sa.ForeignKeyConstraint(["response"], ["responses.id"], name="fk_items_response", ondelete="CASCADE"),
    )
    metadata.create_all(connection, checkfirst=False)
