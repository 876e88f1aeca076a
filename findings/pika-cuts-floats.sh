#!/usr/bin/env bash
# pika 1.4.4 (AMQP 0-9-1): a float or a double in a message's headers is cut to a whole number as it is read, 0.75 to 0 and -1.5 to -1: its decoder
# of tables makes its own class for 64-bit integers of both. Sending one is refused at least (UnsupportedAMQPFieldException).
# RabbitMQ's list of field types has "f" and "d", and others write them, as py-amqp 5.4.2 (below kombu and Celery) and
# pamqp 4.0.1 (below aio-pika) do here, which read each other's whole. So a score, a price or a ratio in a header is another number in one
# consumer, without an error; it is right in the body.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pika==1.4.4 pamqp==4.0.1 amqp==5.4.2
"$folder/venv/bin/python" - <<'PY'
import pika
from amqp.basic_message import Message
from pamqp.commands import Basic

headers = {"ratio": 0.75, "change": -1.5, "count": 3}
written = {
    "pamqp": Basic.Properties(headers=headers).marshal(),
    "py-amqp": Message(application_headers=headers)._serialize_properties(),
}

def of_pamqp(octets):
    properties = Basic.Properties()
    properties.unmarshal(int.from_bytes(octets[:2], "big"), octets[2:])
    return properties.headers

def of_py_amqp(octets):
    message = Message()
    message._load_properties(message.CLASS_ID, octets, 0)
    return message.properties["application_headers"]

def of_pika(octets):
    properties = pika.BasicProperties()
    properties.decode(octets)
    return properties.headers

for writer, octets in written.items():
    print(f"{writer} wrote {headers}: {octets.hex()}")
    for reader in (of_pamqp, of_py_amqp, of_pika):
        print(f"  {reader.__name__}: {reader(octets)}")
    assert of_pamqp(octets) == of_py_amqp(octets) == headers
    assert of_pika(octets) == {"ratio": 0, "change": -1, "count": 3}
try:
    pika.BasicProperties(headers=headers).encode()
except pika.exceptions.UnsupportedAMQPFieldException as error:
    print("pika writes none:", type(error).__name__)
else:
    raise SystemExit("pika wrote a float")
PY
