#!/usr/bin/env bash
# NATS headers may have several values under one name, each on a line of its own (its ADR-4). nats-py 2.16.0 keeps the last one in a message that it
# receives, as its headers are a dict of strings, and has no way to send two. nats.go 1.55.0 and @nats-io/transport-node 3.4.0 give both, in their
# order. So of two traces, tenants or hops the first is gone, without a word. nats-server 2.15.2 passes on both. Needs Go and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q nats-py==2.16.0
npm install --silent --no-audit --no-fund @nats-io/transport-node@3.4.0 >/dev/null
cat >go.mod <<'MOD'
module sender

go 1.25

require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat >sender.go <<'GO'
package main

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A server on a free port, and beside it a client that sends a message with two values to whom asks, and prints it as it came to itself.
func main() {
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	if err != nil {
		panic(err)
	}
	broker.Start()
	client, err := nats.Connect(broker.ClientURL())
	if err != nil {
		panic(err)
	}
	message := nats.NewMsg("news")
	message.Header.Add("hop", "first")
	message.Header.Add("hop", "second")
	_, _ = client.Subscribe("news", func(received *nats.Msg) { fmt.Println(received.Header["hop"]) })
	_, _ = client.Subscribe("ask", func(*nats.Msg) { _ = client.PublishMsg(message) })
	if err := client.Flush(); err != nil {
		panic(err)
	}
	fmt.Println(broker.ClientURL())
	select {}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o sender sender.go 2>/dev/null
cat >receive.js <<'JS'
const { connect } = require("@nats-io/transport-node");
async function main() {
  const client = await connect({ servers: process.argv[2] });
  const subscription = client.subscribe("news", { max: 1 });
  client.publish("ask");
  for await (const { headers } of subscription) console.log(headers.values("hop").join(" "));
  await client.close();
}
main();
JS
venv/bin/python - <<'PY'
import asyncio, subprocess
import nats

async def by_nats_py(address):
    client = await nats.connect(address)
    subscription = await client.subscribe("news")
    await client.publish("ask", b"")
    received = await subscription.next_msg(timeout=10)
    await client.close()
    return received.headers

sender = subprocess.Popen("./sender", stdout=subprocess.PIPE, text=True)
try:
    address = sender.stdout.readline().strip()
    of_python = asyncio.run(by_nats_py(address))
    of_go = sender.stdout.readline().strip()
    of_node = subprocess.run(["node", "receive.js", address], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
finally:
    sender.kill()
    sender.wait()
print("nats.go:       ", of_go)
print("transport-node:", of_node)
print("nats-py:       ", of_python)
assert (of_go, of_node, of_python) == ("[first second]", "first second", {"hop": "second"})
PY
