"""The tables. A change here needs a migration in `migrations/versions`; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

Long = BigInteger().with_variant(Integer, "sqlite")
"""Unix times, and numbers that count for ever. SQLite's integers are that long, and only they count by themselves."""

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
    Column("created", Long, nullable=False),
    Column("revoked", Long),
)

responses = Table(
    "responses",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("previous", String),
    Column("created", Long, nullable=False),
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
    Column("created", Long, nullable=False),
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
    Column("number", Long, primary_key=True),
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

blobs = Table(
    "blobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("since", Float, nullable=False),
    Index(None, "state", "since"),
)
"""What the blob store holds. A blob is `pending` until a row refers to it, `kept` then, and `doomed` after that row."""

files = Table(
    "files",
    metadata,
    Column("number", Long, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False, index=True),
    Column("created", Long, nullable=False),
    Column("expires", Long, index=True),
    Column("purpose", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("blob", String, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("created", Long, nullable=False),
    Column("expires", Long, nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("mime_type", String, nullable=False),
    Column("lifetime", Integer),
    Column("file", String),
)

upload_parts = Table(
    "upload_parts",
    metadata,
    Column("id", String, primary_key=True),
    Column("upload", ForeignKey("uploads.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Long, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("blob", String, nullable=False),
    Column("position", Integer),
)
"""The parts of an upload. Of a completed one, those that became its file are left, each with its `position` there."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("project", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String),
    Column("stop", Boolean, nullable=False),
    Index(None, "kind", "due"),
)
"""Work to be done for the object `subject`. It is free to be claimed from the unix time `due` on: for a job that a
`worker` has, that is when its lease ends. `stop` asks for an early end."""

frames = Table(
    "frames",
    metadata,
    Column("response", ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The journal of background responses: the exact bytes of each event of the stream, by sequence number."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("number", Long, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False, index=True),
    Column("secrets", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Where events are sent. `secrets` are sealed: those that sign now, the newest first."""

batches = Table(
    "batches",
    metadata,
    Column("number", Long, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("expires", Long, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("custom_id", String, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("length", Integer, nullable=False),
    Column("prefix", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("result", LargeBinary),
    UniqueConstraint("batch", "custom_id"),
    Index(None, "batch", "state", "prefix"),
)
"""A line of a batch's input: its place in the file, in bytes, and what came of it. Lines whose prompts begin alike have
the same `prefix`, so that they are run together."""

vector_stores = Table(
    "vector_stores",
    metadata,
    Column("number", Long, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("project", String, nullable=False, index=True),
    Column("expires", Long, index=True),
    Column("model", String, nullable=False),
    Column("version", Long, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""What is searched. `model` is what its texts are embedded with; `version` grows whenever what can be found changes."""

vector_store_files = Table(
    "vector_store_files",
    metadata,
    Column("number", Long, primary_key=True),
    Column("store", ForeignKey("vector_stores.id", ondelete="CASCADE"), nullable=False),
    Column("file", String, nullable=False, index=True),
    Column("batch", String, index=True),
    Column("created", Long, nullable=False),
    Column("status", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("attributes", LargeBinary, nullable=False),
    Column("chunking", LargeBinary, nullable=False),
    Column("error", LargeBinary),
    Column("mark", BigInteger, nullable=False),
    UniqueConstraint("store", "file"),
    Index(None, "store", "status"),
)
"""A file in a store. `bytes` are those of its chunks, `attributes`, `chunking` and `error` the JSON of its object.

`mark` is the version of the store in which it was taken in: no two files of a store that can be searched have ever had
the same number and mark."""

vector_store_attributes = Table(
    "vector_store_attributes",
    metadata,
    Column("entry", ForeignKey("vector_store_files.number", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("text", String),
    Column("value", Float),
    Column("flag", Boolean),
)
"""The attributes of the file `entry` of a store, for filters: each is a text, a number or a flag."""

vector_store_batches = Table(
    "vector_store_batches",
    metadata,
    Column("number", Long, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("store", ForeignKey("vector_stores.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Long, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)
"""Files that were put into a store together."""

chunks = Table(
    "chunks",
    metadata,
    Column("number", Long, primary_key=True),
    Column("entry", ForeignKey("vector_store_files.number", ondelete="CASCADE"), nullable=False),
    Column("store", String, nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("page", Integer),
    Column("text", String, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    UniqueConstraint("entry", "position"),
)
"""A piece of a file in a store: its vector, of length 1 as little-endian 32-bit floats, and its words, packed; `page`
is where it begins."""

parsed_files = Table(
    "parsed_files",
    metadata,
    Column("file", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The text of a file, with its pages and headings, as it was read once for all who need it."""
