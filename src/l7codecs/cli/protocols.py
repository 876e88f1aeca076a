"""``l7codecs protocols``: what is registered."""

from __future__ import annotations

import argparse
import json

from l7codecs import Protocol, RegistryError, get_protocol, list_protocols
from l7codecs.cli.terminal import printable, say, show
from l7codecs.records import json_safe

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print every registered protocol; one that cannot be loaded is said on standard error. Returns the exit status."""
    found: list[dict[str, object]] = []
    status = 0
    for entry in list_protocols():
        try:
            protocol = get_protocol(entry.name)
        except RegistryError as error:
            say(error)
            status = 2
            continue
        found.append({"distribution": entry.distribution, "version": entry.version, **_described(protocol)})
    if options.json:
        show(json_safe(json.dumps(found, indent=2).encode()).decode())
        return status
    for item in found:
        ports = ", ".join(str(port) for port in _list(item["ports"])) or "none"
        owner = f"[{item['distribution']} {item['version']}]"
        show(printable(f"{item['name']}  {item['title']}  {owner}  ports: {ports}  pairing: {item['pairing']}"))
        for attribute in _list(item["attributes"]):
            assert isinstance(attribute, dict)
            marks = "".join(f", {mark}" for mark in ("sensitive", "changeable") if attribute[mark])
            show(printable(f"    {attribute['name']:28} {attribute['type']:8} {attribute['direction']}{marks}"))
            show(printable(f"    {'':28} {attribute['source']}"))
    return status


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _described(protocol: Protocol) -> dict[str, object]:
    return {
        "name": protocol.name,
        "title": protocol.title,
        "specification": protocol.specification,
        "ports": list(protocol.ports),
        "pairing": protocol.pairing.value,
        "id_bits": protocol.id_bits,
        "attributes": [
            {
                "name": item.name,
                "type": item.type_name,
                "direction": item.direction.value,
                "source": item.source,
                "sensitive": item.sensitive,
                "changeable": item.changeable,
            }
            for item in protocol.schema.values()
        ],
    }
