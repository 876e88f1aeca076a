// Passes over bare messages of the binary protocol with Apache Thrift's own skip, as often as each line of input says; answers each line
// with the nanoseconds that a message took. Its argument is a file of messages. `thrift_skip.py` builds and asks it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

func main() {
	octets, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		rounds, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			panic(err)
		}
		count := 0
		begun := time.Now()
		for round := 0; round < rounds; round++ {
			trans := &thrift.TMemoryBuffer{Buffer: bytes.NewBuffer(octets)}
			protocol := thrift.NewTBinaryProtocolConf(trans, nil)
			for trans.Len() > 0 {
				name, _, _, err := protocol.ReadMessageBegin(ctx)
				if err != nil || name != "echo" {
					panic(fmt.Sprint(name, err))
				}
				if err := thrift.SkipDefaultDepth(ctx, protocol, thrift.STRUCT); err != nil {
					panic(err)
				}
				count++
			}
		}
		fmt.Printf("%d %d\n", count, time.Since(begun).Nanoseconds()/int64(count))
	}
}
