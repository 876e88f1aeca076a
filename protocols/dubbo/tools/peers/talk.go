// A consumer of Dubbo, of dubbo-go, which does what lines of JSON tell it, and says in lines of JSON what came of it.
// See dubbo_peers.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	_ "dubbo.apache.org/dubbo-go/v3/imports"
)

type call struct {
	Method      string            `json:"method"`
	Arguments   []string          `json:"arguments"`
	Attachments map[string]string `json:"attachments"`
}

type request struct {
	Do      string `json:"do"`
	To      int    `json:"to"`
	Version string `json:"version"`
	Group   string `json:"group"`
	Calls   []call `json:"calls"`
}

type result struct {
	Method    string `json:"method"`
	Arguments []any  `json:"arguments"`
	Value     any    `json:"value"`
	Failure   string `json:"failure,omitempty"`
}

func value(name string) any {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "text":
		return rest
	case "int":
		number, _ := strconv.Atoi(rest)
		return int32(number)
	case "bytes":
		count, _ := strconv.Atoi(rest)
		octets := make([]byte, count)
		for i := range octets {
			octets[i] = byte(i*31 + (i >> 8))
		}
		return octets
	}
	panic("no value is called " + name)
}

func made(asked request) ([]result, error) {
	cli, err := client.NewClient(
		client.WithClientProtocolDubbo(), client.WithClientURL(fmt.Sprintf("dubbo://127.0.0.1:%d", asked.To)),
		client.WithClientSerialization(constant.Hessian2Serialization), client.WithClientNoCheck(), client.WithClientRetries(0))
	if err != nil {
		return nil, err
	}
	options := []client.ReferenceOption{client.WithVersion(asked.Version), client.WithGroup(asked.Group)}
	conn, err := cli.Dial("l7codecs.peers.Shop", options...)
	if err != nil {
		return nil, err
	}
	var results []result
	for _, each := range asked.Calls {
		found := result{Method: each.Method, Arguments: []any{}}
		var arguments []any
		for _, name := range each.Arguments {
			arguments = append(arguments, value(name))
		}
		found.Arguments = append(found.Arguments, arguments...)
		ctx := context.Background()
		if each.Attachments != nil {
			attachments := map[string]any{}
			for key, name := range each.Attachments {
				attachments[key] = value(name)
			}
			ctx = context.WithValue(ctx, constant.AttachmentKey, attachments)
		}
		var got any
		switch each.Method {
		case "bare":
			var number int32
			err = conn.CallUnary(ctx, arguments, &number, each.Method)
			got = number
		case "binary":
			var octets []byte
			err = conn.CallUnary(ctx, arguments, &octets, each.Method)
			got = octets
		default:
			var text string
			err = conn.CallUnary(ctx, arguments, &text, each.Method)
			got = text
		}
		if err != nil {
			found.Failure = err.Error()
		} else {
			found.Value = got
		}
		results = append(results, found)
	}
	return results, nil
}

func main() {
	kept, err := syscall.Dup(1)
	if err == nil {
		err = syscall.Dup3(2, 1, 0) // what dubbo-go prints
	}
	if err != nil {
		panic(err)
	}
	out := os.NewFile(uintptr(kept), "said")
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		results, err := made(asked)
		said := map[string]any{"results": results}
		if err != nil {
			said = map[string]any{"error": err.Error()}
		}
		octets, _ := json.Marshal(said)
		_, _ = out.Write(append(octets, '\n'))
	}
}
