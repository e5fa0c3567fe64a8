"""The tables. A change here needs a migration in `migrations/versions`; a test compares the two."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("name", String, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("hint", String, nullable=False),
    Column("owner", Boolean, nullable=False),
    Column("created", Integer, nullable=False),
    Column("revoked", Integer),
)

responses = Table(
    "responses",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("previous", String),
    Column("created", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("model", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("response", ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("output", Boolean, nullable=False),
    Column("id", String, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("created", Integer, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
)

conversation_items = Table(
    "conversation_items",
    metadata,
    Column("conversation", ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("id", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("id", "conversation"),
)

completions = Table(
    "completions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False, index=True),
    Column("model", String, nullable=False),
    Column("messages", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

completion_metadata = Table(
    "completion_metadata",
    metadata,
    Column("completion", ForeignKey("completions.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)
