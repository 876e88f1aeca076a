#!/usr/bin/env bash
# thriftpy2 0.7.1: a server with TApacheJSONProtocol runs one call again and again, thousands of times a second, and answers each time, until its
# client has gone: read_message_begin loads a message only where there is none yet, and none is ever let go (thriftpy2/protocol/apache_json.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q thriftpy2==0.7.1
"$work/venv/bin/python" - <<'PY' 2>/dev/null
import io
import socket
import sys
import threading
import time

import thriftpy2
from thriftpy2.protocol import TApacheJSONProtocolFactory
from thriftpy2.rpc import make_server

shop = thriftpy2.load_fp(io.StringIO("service Shop { i32 add(1: i32 left, 2: i32 right) }"), "shop_thrift")
calls = []


class Handler:
    def add(self, left, right):
        calls.append((left, right))
        return left + right


server = make_server(shop.Shop, Handler(), "127.0.0.1", 17641, proto_factory=TApacheJSONProtocolFactory())
server.daemon = True
threading.Thread(target=server.serve, daemon=True).start()
time.sleep(0.5)
with socket.create_connection(("127.0.0.1", 17641)) as client:
    client.sendall(b'[1,"add",1,0,{"1":{"i32":2},"2":{"i32":3}}]')
    client.settimeout(0.5)
    said = client.recv(65536)
    time.sleep(0.5)
print("one call was written; answers begin with", said[:60].decode())
print("the service was called", len(calls), "times")
sys.exit(len(calls) < 10)
PY
