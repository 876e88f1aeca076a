"""What the command says in one line before it ends with status 2."""

__all__ = ["UsageError"]


class UsageError(Exception):
    """A bad option or an unknown protocol."""
