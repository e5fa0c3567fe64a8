"""How to get into an S3 bucket."""

from msgspec import Struct


class S3Access(Struct, frozen=True, forbid_unknown_fields=True):
    """`[s3]`: where a bucket is and the key to it. Without a key, the machine's own role is used.

    `endpoint` is the address of a server that is not Amazon's.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
