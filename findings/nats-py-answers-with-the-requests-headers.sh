#!/usr/bin/env bash
# nats-py 2.16.0: Msg.respond sends all headers of the request back with the answer: traceparent, tenant, a token, Nats-Msg-Id. A requester takes
# them for the service's, and who traces takes the requester's span for one of the service. nats.go 1.55.0's Respond sends none. The server
# (nats-server 2.15.2) only passes on. Needs Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q nats-py==2.16.0
cat >go.mod <<'MOD'
module service

go 1.25

require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat >service.go <<'GO'
package main

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A server on a free port, and a service beside it that answers by nats.go.
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
	_, _ = client.Subscribe("by.go", func(message *nats.Msg) { _ = message.Respond([]byte("done")) })
	_ = client.Flush()
	fmt.Println(broker.ClientURL())
	select {}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod go build -o service service.go 2>/dev/null
venv/bin/python - <<'PY'
import asyncio, subprocess

import nats

async def main(address):
    requester, service = await nats.connect(address), await nats.connect(address)

    async def answer(message):
        await message.respond(b"done")

    await service.subscribe("by.python", cb=answer)
    await service.flush()
    headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Nats-Msg-Id": "7"}
    by_python, by_go = [(await requester.request(f"by.{language}", b"work", headers=headers)).headers for language in ("python", "go")]
    print("asked with:            ", headers)
    print("nats-py answered with: ", by_python)
    print("nats.go answered with: ", by_go)
    assert by_python == headers and not by_go
    await requester.close()
    await service.close()

child = subprocess.Popen(["./service"], stdout=subprocess.PIPE, text=True)
try:
    asyncio.run(main(child.stdout.readline().strip()))
finally:
    child.kill()
    child.wait()
PY
