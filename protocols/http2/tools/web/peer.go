// A server and a client of connect-go, over HTTP/2 without TLS: `peer server PORT`, `peer client PORT connect|grpc-web CALL`.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type text = wrapperspb.StringValue

func greet(_ context.Context, asked *connect.Request[text]) (*connect.Response[text], error) {
	if asked.Msg.Value == "" {
		failure := connect.NewError(connect.CodeFailedPrecondition, errors.New("nobody to greet"))
		failure.Meta().Set("x-reason", "empty")
		return nil, failure
	}
	answer := connect.NewResponse(wrapperspb.String("hello " + asked.Msg.Value))
	answer.Trailer().Set("x-sum", "42")
	return answer, nil
}

func many(_ context.Context, asked *connect.Request[text], stream *connect.ServerStream[text]) error {
	for range 3 {
		if err := stream.Send(wrapperspb.String("hello " + asked.Msg.Value)); err != nil {
			return err
		}
	}
	stream.ResponseTrailer().Set("x-sum", "42")
	if asked.Msg.Value == "" {
		return connect.NewError(connect.CodeResourceExhausted, errors.New("no more greetings"))
	}
	return nil
}

func protocols() *http.Protocols {
	found := new(http.Protocols)
	found.SetUnencryptedHTTP2(true)
	return found
}

func serve(port string) error {
	mux := http.NewServeMux()
	safe := connect.WithIdempotency(connect.IdempotencyNoSideEffects)
	mux.Handle("/pack.Greeter/Greet", connect.NewUnaryHandler("/pack.Greeter/Greet", greet, safe))
	mux.Handle("/pack.Greeter/Many", connect.NewServerStreamHandler("/pack.Greeter/Many", many))
	server := &http.Server{Addr: "127.0.0.1:" + port, Handler: mux, Protocols: protocols()}
	return server.ListenAndServe()
}

func call(port string, protocol string, name string) error {
	client := &http.Client{Transport: &http.Transport{Protocols: protocols()}}
	var options []connect.ClientOption
	if protocol == "grpc-web" {
		options = append(options, connect.WithGRPCWeb())
	}
	value := "world"
	method := "Greet"
	switch name {
	case "get":
		options = append(options, connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	case "error":
		value = ""
	case "stream":
		method = "Many"
	case "stream-error":
		method, value = "Many", ""
	case "none":
		method = "None"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	caller := connect.NewClient[text, text](client, "http://127.0.0.1:"+port+"/pack.Greeter/"+method, options...)
	if method == "Many" {
		stream, err := caller.CallServerStream(ctx, connect.NewRequest(wrapperspb.String(value)))
		if err != nil {
			return err
		}
		for stream.Receive() {
		}
		fmt.Println(stream.Err())
		return stream.Close()
	}
	answer, err := caller.CallUnary(ctx, connect.NewRequest(wrapperspb.String(value)))
	fmt.Println(answer, err)
	return nil
}

func main() {
	var err error
	if os.Args[1] == "server" {
		err = serve(os.Args[2])
	} else {
		err = call(os.Args[2], os.Args[3], os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
