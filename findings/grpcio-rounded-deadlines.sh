#!/usr/bin/env bash
# grpcio 1.85.3 tells the server a later deadline than it keeps itself: grpc-timeout has some three digits of the time, rounded up, by nearly 1 %
# at worst. A client that gives up after 1002 s asks for 1010 s, and one that waits a day and two seconds for 98 s more: the server goes on
# working for nobody, and who measures deadlines at the wire measures other ones. grpc-js 1.14.7 writes the same to the millisecond. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3 h2==4.4.1
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7 >/dev/null
cat >client.js <<'JS'
const grpc = require("@grpc/grpc-js");
const same = (octets) => octets;
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const deadline = Date.now() + Number(process.argv[3]) * 1000;
client.makeUnaryRequest("/demo/Tell", same, same, Buffer.alloc(0), new grpc.Metadata(), { deadline }, () => process.exit());
JS
venv/bin/python - <<'PY'
import re, socket, subprocess, threading

import grpc
import h2.connection, h2.events

UNITS = {"m": 0.001, "S": 1, "M": 60, "H": 3600}
listener = socket.create_server(("127.0.0.1", 0))
address = f"127.0.0.1:{listener.getsockname()[1]}"
timeouts = []

def serve():
    """Keep the grpc-timeout of each connection's first call, and answer OK."""
    while True:
        link = listener.accept()[0]
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        answered = False
        while not answered:
            link.sendall(connection.data_to_send())
            for event in connection.receive_data(link.recv(65536)):
                if isinstance(event, h2.events.RequestReceived):
                    timeouts.append(dict(event.headers)["grpc-timeout"])
                    end = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")]
                    connection.send_headers(event.stream_id, end, end_stream=True)
                    answered = True
        link.sendall(connection.data_to_send())

threading.Thread(target=serve, daemon=True).start()

def of_python(seconds):
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary("/demo/Tell")(b"", timeout=seconds)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
    return timeouts.pop()

def of_node(seconds):
    subprocess.run(["node", "client.js", address, str(seconds)], check=True)
    return timeouts.pop()

def more(seconds, timeout):
    """By how many seconds the deadline at the wire is later."""
    number, unit = re.fullmatch(r"(\d+)(\w)", timeout).groups()
    return int(number) * UNITS[unit] - seconds

for seconds, expected in ((1002, "1010S"), (5002, "5010S"), (86402, "86500S")):
    python, node = of_python(seconds), of_node(seconds)
    print(f"{seconds} s: grpcio {python} ({more(seconds, python):+.3f} s), grpc-js {node} ({more(seconds, node):+.3f} s)")
    assert python == expected
    assert -1.5 < more(seconds, node) <= 0.001
PY
