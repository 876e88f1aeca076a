"""kafka-python, which warns of itself when it is imported."""

import importlib
import pkgutil
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol
    from kafka.protocol.api_header import ResponseClassRegistry
    from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription
    from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
    from kafka.record.legacy_records import LegacyRecordBatch, LegacyRecordBatchBuilder
    from kafka.record.memory_records import MemoryRecords

    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        importlib.import_module(module.name)  # they register their answers

__all__ = [
    "ConsumerProtocolAssignment",
    "ConsumerProtocolSubscription",
    "DefaultRecordBatch",
    "DefaultRecordBatchBuilder",
    "LegacyRecordBatch",
    "LegacyRecordBatchBuilder",
    "MemoryRecords",
    "answer_class",
]


def answer_class(key: int) -> Any:
    """What reads answers to requests of `key`; None where it has none."""
    return ResponseClassRegistry._response_class_registry.get(key)
