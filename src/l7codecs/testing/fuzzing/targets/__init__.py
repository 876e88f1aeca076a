"""What is done with inputs: a module for each target, and `base`, what they have in common."""

from __future__ import annotations

from l7codecs.testing.fuzzing.targets.base import Target
from l7codecs.testing.fuzzing.targets.captures import Captures
from l7codecs.testing.fuzzing.targets.conversation import Conversation, Direction
from l7codecs.testing.fuzzing.targets.detection import Detection
from l7codecs.testing.fuzzing.targets.differential import Differential
from l7codecs.testing.fuzzing.targets.endpoints import Endpoints
from l7codecs.testing.fuzzing.targets.growing import Growth
from l7codecs.testing.fuzzing.targets.large import Large
from l7codecs.testing.fuzzing.targets.losses import Losses
from l7codecs.testing.fuzzing.targets.truth import Truth

__all__ = ["TARGETS", "Target"]

TARGETS: tuple[type[Target], ...] = (
    Direction,
    Conversation,
    Endpoints,
    Losses,
    Growth,
    Detection,
    Captures,
    Differential,
    Truth,
    Large,
)
"""In the order of their numbers."""
