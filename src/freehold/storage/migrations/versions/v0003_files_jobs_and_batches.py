"""Blobs, files and uploads; jobs, the journal of background responses, batches and webhook endpoints."""

import sqlalchemy as sa


def upgrade(connection: sa.Connection) -> None:
    """Create the tables."""
    metadata = sa.MetaData()
    sa.Table("responses", metadata, sa.Column("id", sa.String, primary_key=True))
    _files(metadata)
    _jobs(metadata)
    _batches(metadata)
    metadata.create_all(connection, [table for table in metadata.sorted_tables if table.name != "responses"], False)


def _files(metadata: sa.MetaData) -> None:
    sa.Table(
        "blobs",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_blobs"),
        sa.Index("ix_blobs_state_since", "state", "since"),
    )
    sa.Table(
        "files",
        metadata,
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("expires", sa.Integer),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("filename", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("blob", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_files"),
        sa.UniqueConstraint("id", name="uq_files_id"),
        sa.Index("ix_files_project", "project"),
        sa.Index("ix_files_expires", "expires"),
    )
    sa.Table(
        "uploads",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("expires", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("filename", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.String, nullable=False),
        sa.Column("lifetime", sa.Integer),
        sa.Column("file", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.Index("ix_uploads_expires", "expires"),
    )
    sa.Table(
        "upload_parts",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("upload", sa.String, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("blob", sa.String, nullable=False),
        sa.Column("position", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_upload_parts"),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"], name="fk_upload_parts_upload", ondelete="CASCADE"),
        sa.Index("ix_upload_parts_upload", "upload"),
    )


def _jobs(metadata: sa.MetaData) -> None:
    sa.Table(
        "jobs",
        metadata,
        sa.Column("id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("stop", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.Index("ix_jobs_kind_due", "kind", "due"),
        sa.Index("ix_jobs_subject", "subject"),
    )
    sa.Table(
        "frames",
        metadata,
        sa.Column("response", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("response", "number", name="pk_frames"),
        sa.ForeignKeyConstraint(["response"], ["responses.id"], name="fk_frames_response", ondelete="CASCADE"),
    )
    sa.Table(
        "webhook_endpoints",
        metadata,
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_webhook_endpoints"),
        sa.UniqueConstraint("id", name="uq_webhook_endpoints_id"),
        sa.Index("ix_webhook_endpoints_project", "project"),
    )


def _batches(metadata: sa.MetaData) -> None:
    sa.Table(
        "batches",
        metadata,
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("expires", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_batches"),
        sa.UniqueConstraint("id", name="uq_batches_id"),
        sa.Index("ix_batches_project", "project"),
    )
    sa.Table(
        "batch_lines",
        metadata,
        sa.Column("batch", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("custom_id", sa.String, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("prefix", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.PrimaryKeyConstraint("batch", "number", name="pk_batch_lines"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name="fk_batch_lines_batch", ondelete="CASCADE"),
        sa.UniqueConstraint("batch", "custom_id", name="uq_batch_lines_batch_custom_id"),
        sa.Index("ix_batch_lines_batch_state_prefix", "batch", "state", "prefix"),
    )
