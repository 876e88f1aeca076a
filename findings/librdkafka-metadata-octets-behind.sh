#!/usr/bin/env bash
# librdkafka 2.16.0 (confluent-kafka 2.16.1): Metadata v13 for all topics has three octets behind its body. The body is whole after four:
# null for the topics, no topics to be created, no operations, no tagged fields; behind it stand `01 00 00`, which are what librdkafka means by
# the last three if the null took four octets. A broker does not mind; a codec that takes octets behind a body for an error refuses
# this request of a healthy client. Requests for some topics, or for none, end where they should.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q confluent-kafka==2.16.1
"$work/venv/bin/python" - <<'PY'
import socket, struct, threading
import confluent_kafka
from confluent_kafka.admin import AdminClient

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
bodies = []

def serve(connection):
    """Say that Metadata is known up to version 13, keep what is asked, and answer it with one broker and no topic."""
    with connection:
        while head := connection.recv(4, socket.MSG_WAITALL):
            frame = connection.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL)
            key, version, number, size = struct.unpack_from(">hhih", frame)
            if key == 18:
                ranges = [(3, 0, 13), (18, 0, 3)]
                body = b"\0\0" + bytes([len(ranges) + 1]) + b"".join(struct.pack(">hhhB", *each, 0) for each in ranges) + bytes(5)
                answer = struct.pack(">i", number) + body  # no tagged fields in this header
            elif key == 3:
                bodies.append((version, frame[11 + size :]))  # behind the header and its tagged fields
                broker = struct.pack(">i", 1) + b"\x0a127.0.0.1" + struct.pack(">i", port) + b"\0\0"
                answer = struct.pack(">iB", number, 0) + bytes(4) + b"\2" + broker + b"\2c" + struct.pack(">i", 1) + b"\1" + b"\0\0\0"
            else:
                return
            connection.sendall(struct.pack(">i", len(answer)) + answer)

def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
print("librdkafka", confluent_kafka.libversion()[0])
client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": "0"})
try:
    client.list_topics(timeout=5)
except confluent_kafka.KafkaException as error:
    print("list_topics:", error)
found = {body for version, body in bodies if version == 13}
print("bodies of Metadata v13:", sorted(body.hex(" ") for body in found))
# Topics (compact: 00 null, 01 none), AllowAutoTopicCreation, IncludeTopicAuthorizedOperations, tagged fields: four octets.
asked_all = next(body for body in found if body[0] == 0)
assert asked_all == bytes.fromhex("00 00 00 00 01 00 00"), asked_all
print("four octets are the body; behind it stand", asked_all[4:].hex(" "))
PY
