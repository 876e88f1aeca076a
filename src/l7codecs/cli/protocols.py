"""``l7codecs protocols``: what is registered."""

from __future__ import annotations

import argparse
import json
import sys

from l7codecs import Protocol, RegistryError, get_protocol, list_protocols

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print every registered protocol; one that cannot be loaded is said on standard error. Returns the exit status."""
    found: list[dict[str, object]] = []
    status = 0
    for entry in list_protocols():
        try:
            protocol = get_protocol(entry.name)
        except RegistryError as error:
            print(f"l7codecs: {error}", file=sys.stderr)
            status = 2
            continue
        found.append({"distribution": entry.distribution, "version": entry.version, **_described(protocol)})
    if options.json:
        print(json.dumps(found, indent=2))
        return status
    for item in found:
        ports = ", ".join(str(port) for port in _list(item["ports"])) or "none"
        print(
            f"{item['name']}  {item['title']}  [{item['distribution']} {item['version']}]  ports: {ports}  pairing: {item['pairing']}"
        )
        for attribute in _list(item["attributes"]):
            assert isinstance(attribute, dict)
            marks = "".join(f", {mark}" for mark in ("sensitive", "changeable") if attribute[mark])
            print(f"    {attribute['name']:28} {attribute['type']:8} {attribute['direction']}{marks}")
            print(f"    {'':28} {attribute['source']}")
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
