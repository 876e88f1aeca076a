#!/usr/bin/env bash
# HAProxy 2.6.12, HTTP/2 on both sides: a server that resets a stream before its answer, with whatever reason, is told to the client as
# REFUSED_STREAM. RFC 9113 §8.7 has that for requests of which nothing was processed, which can be sent again, and so clients do: Go's net/http sends
# a POST whose handler did its work and broke off four times within the five seconds that it is given here, and the server does it four times.
# Directly it is done once, and INTERNAL_ERROR told, which nghttpx 1.52.0 passes on. Needs haproxy, nghttpx and Go.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module repeat

go 1.24
MOD
cat >again.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// serve: prints its port, and for each work that it does a line. ask ADDRESS…: what a client is told by each.
func main() {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	if os.Args[1] == "serve" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		var done atomic.Int64
		handler := func(answer http.ResponseWriter, request *http.Request) {
			if request.Method == "GET" {
				_, _ = fmt.Fprint(answer, done.Swap(0))
				return
			}
			done.Add(1)
			panic(http.ErrAbortHandler) // which is how a handler in Go breaks off
		}
		panic((&http.Server{Handler: http.HandlerFunc(handler), Protocols: &protocols}).Serve(listener))
	}
	server := "http://" + os.Args[2] + "/"
	for _, address := range os.Args[2:] {
		client := http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: 5 * time.Second}
		_, failed := client.Post("http://"+address+"/", "text/plain", strings.NewReader("pay 10"))
		var done int
		answer, err := client.Get(server)
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Fscan(answer.Body, &done)
		// What it does not know how to send again says which error came.
		_, once := client.Post("http://"+address+"/", "text/plain", io.LimitReader(strings.NewReader("pay 10"), 6))
		fmt.Printf("%d %v; sent once: %v\n", done, failed, once)
		_, _ = client.Get(server)
	}
}
GO
GOPATH="$folder/go" GOTOOLCHAIN=local go build -o again again.go
python3 - <<'PY'
import socket, subprocess, time

def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

for program in ("haproxy", "nghttpx"):
    print(subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
haproxy, nghttpx = free_port(), free_port()
programs = [subprocess.Popen(["./again", "serve"], stdout=subprocess.PIPE, text=True)]
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
    told = subprocess.run(["./again", "ask", *addresses], stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.splitlines()
finally:
    for each in programs:
        each.kill()
        each.wait()
found = dict(zip(("directly", "by haproxy", "by nghttpx"), told, strict=True))
for way, line in found.items():
    print(f"{way}, times done, and told: {line}")
assert int(found["by haproxy"].split()[0]) > 2 and "REFUSED_STREAM" in found["by haproxy"]
for way in ("directly", "by nghttpx"):
    assert found[way].startswith("1 ") and found[way].count("INTERNAL_ERROR") == 2
PY
