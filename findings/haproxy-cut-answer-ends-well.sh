#!/usr/bin/env bash
# HAProxy 2.6.12, HTTP/2 on both sides: a server that breaks off in the middle of its answer says so by RST_STREAM (here Go's, whose handler panicked
# after 7 of 14 octets). HAProxy passes on what came and then END_STREAM, as if that were all: the client reads half an answer without an error.
# RFC 9113 §8.1 has a request or answer end by END_STREAM where it is complete. nghttpx 1.52.0 passes on the reset, and the same client then has
# an error, as it has directly. With a content-length the client can count for itself; with streams, gRPC's among them, it cannot.
# Needs haproxy, nghttpx and Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module cut

go 1.24
MOD
cat >cut.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// serve: prints its port. ask ADDRESS…: what a client is told by each.
func main() {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	if os.Args[1] == "serve" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		handler := func(answer http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(answer, "half an")
			answer.(http.Flusher).Flush()
			time.Sleep(200 * time.Millisecond) // so that each proxy has passed it on before the end
			panic(http.ErrAbortHandler)        // which is how a handler in Go breaks off
		}
		panic((&http.Server{Handler: http.HandlerFunc(handler), Protocols: &protocols}).Serve(listener))
	}
	for _, address := range os.Args[2:] {
		client := http.Client{Transport: &http.Transport{Protocols: &protocols}}
		answer, err := client.Get("http://" + address + "/")
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(answer.Body)
		fmt.Printf("%d %q %v\n", answer.StatusCode, body, err)
	}
}
GO
GOPATH="$folder/go" GOTOOLCHAIN=local go build -o cut cut.go
python3 - <<'PY'
import socket, subprocess, time

def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

for program in ("haproxy", "nghttpx"):
    print(subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
haproxy, nghttpx = free_port(), free_port()
programs = [subprocess.Popen(["./cut", "serve"], stdout=subprocess.PIPE, text=True)]
try:
    server = int(programs[0].stdout.readline())
    with open("haproxy.cfg", "w") as file:
        file.write(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen all
    bind 127.0.0.1:{haproxy} proto h2
    server one 127.0.0.1:{server} proto h2
""")
    quiet = ["--errorlog-file=/dev/null", "--accesslog-file=/dev/null", "--workers=1"]
    commands = [
        ["haproxy", "-f", "haproxy.cfg"],
        ["nghttpx", f"--frontend=127.0.0.1,{nghttpx};no-tls", f"--backend=127.0.0.1,{server};;proto=h2", *quiet],
    ]
    programs += [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    for port in (haproxy, nghttpx):
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
    addresses = [f"127.0.0.1:{port}" for port in (server, haproxy, nghttpx)]
    told = subprocess.run(["./cut", "ask", *addresses], stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.splitlines()
finally:
    for each in programs:
        each.kill()
        each.wait()
found = dict(zip(("directly", "by haproxy", "by nghttpx"), told, strict=True))
for way, line in found.items():
    print(f"{way}: {line}")
assert found["by haproxy"] == '200 "half an" <nil>'
for way in ("directly", "by nghttpx"):
    assert found[way].startswith('200 "half an" stream error: stream ID 1; INTERNAL_ERROR')
PY
