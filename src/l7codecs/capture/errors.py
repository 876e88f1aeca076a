"""The one error of the capture reader."""

__all__ = ["CaptureError"]


class CaptureError(Exception):
    """Say in one line why a capture file cannot be read, or not read further.

    Everything that stood before the fault has been delivered when this is raised.
    """

    def __init__(self, path: str, reason: str) -> None:
        """Keep the file's name and what was seen there instead of a packet."""
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
