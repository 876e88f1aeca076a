// Apache Thrift for Go as client and server: see thrift_peers.py for what it is told. The generated code is in the folder l7peers.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	peers "l7/l7peers"
)

var (
	lock sync.Mutex
	seen []string
	ctx  = context.Background()
)

func see(name string, given ...string) {
	lock.Lock()
	defer lock.Unlock()
	seen = append(seen, name+":"+strings.Join(given, ","))
}

func text(given string) string {
	octets, err := hex.DecodeString(given)
	if err != nil {
		panic(err)
	}
	return string(octets)
}

func shown(given string) string { return hex.EncodeToString([]byte(given)) }

func number(given string) int64 {
	value, err := strconv.ParseInt(given, 10, 64)
	if err != nil {
		panic(err)
	}
	return value
}

func written(value thrift.TStruct) string {
	octets, err := thrift.NewTSerializer().Write(ctx, value)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(octets)
}

func read[T thrift.TStruct](value T, given string) T {
	if err := thrift.NewTDeserializer().Read(ctx, value, []byte(text(given))); err != nil {
		panic(err)
	}
	return value
}

type shop struct{}

func (shop) Hello(_ context.Context, name string) (string, error) {
	see("Shop.hello", shown(name))
	return "hello " + name, nil
}

func (shop) Nothing(context.Context) error {
	see("Shop.nothing")
	return nil
}

func (shop) Echo(_ context.Context, value *peers.Everything) (*peers.Everything, error) {
	see("Shop.echo", written(value))
	return value, nil
}

func (shop) Grow(_ context.Context, tree *peers.Tree, levels int32) (*peers.Tree, error) {
	see("Shop.grow", written(tree), fmt.Sprint(levels))
	for level := range levels {
		tree = &peers.Tree{Name: fmt.Sprintf("level %d", level), Children: []*peers.Tree{tree}}
	}
	return tree, nil
}

func (shop) Swap(_ context.Context, value *peers.Value) (*peers.Value, error) {
	see("Shop.swap", written(value))
	return &peers.Value{Values: []*peers.Value{value}}, nil
}

func (shop) Find(_ context.Context, name string) (*peers.Item, error) {
	see("Shop.find", shown(name))
	switch name {
	case "oops":
		return nil, &peers.Oops{Why: "it is gone", Code: -7}
	case "denied":
		return nil, &peers.Denied{Reason: "nobody may", Details: peers.Names{"a", "b"}}
	}
	count := int32(3)
	return &peers.Item{Name: name, Count: &count}, nil
}

func (shop) Check(_ context.Context, name string) error {
	see("Shop.check", shown(name))
	if name == "oops" {
		return &peers.Oops{Why: "it is gone", Code: -7}
	}
	return nil
}

func (shop) Fire(_ context.Context, what string) error {
	see("Shop.fire", shown(what))
	return nil
}

func (shop) Add(_ context.Context, left, right int32) (int32, error) {
	see("Shop.add", fmt.Sprint(left), fmt.Sprint(right))
	return left + right, nil
}

func (shop) Missing(context.Context) (*peers.Item, error) {
	see("Shop.missing")
	return nil, nil
}

func (shop) Failing(_ context.Context, why string) (string, error) {
	see("Shop.failing", shown(why))
	return "", errors.New(why)
}

type stall struct{}

func (stall) Hello(_ context.Context, name string) (string, error) {
	see("Stall.hello", shown(name))
	return "hello " + name, nil
}

func (stall) Count(_ context.Context, many []int64) (int64, error) {
	var sum int64
	var told []string
	for _, each := range many {
		sum += each
		told = append(told, fmt.Sprint(each))
	}
	see("Stall.count", strings.Join(told, ";"))
	return sum, nil
}

func configuration(transport, encoding string) *thrift.TConfiguration {
	made := &thrift.TConfiguration{ConnectTimeout: 10 * time.Second, SocketTimeout: 20 * time.Second}
	if encoding == "old-binary" {
		made.TBinaryStrictRead, made.TBinaryStrictWrite = thrift.BoolPtr(false), thrift.BoolPtr(false)
	}
	if encoding == "compact" {
		made.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolCompact)
	}
	if transport == "header-zlib" {
		made.THeaderTransforms = []thrift.THeaderTransformID{thrift.TransformZlib}
	}
	return made
}

func protocols(transport, encoding string) thrift.TProtocolFactory {
	settings := configuration(transport, encoding)
	switch {
	case strings.HasPrefix(transport, "header"):
		return thrift.NewTHeaderProtocolFactoryConf(settings)
	case encoding == "compact":
		return thrift.NewTCompactProtocolFactoryConf(settings)
	case encoding == "json":
		return thrift.NewTJSONProtocolFactory()
	}
	return thrift.NewTBinaryProtocolFactoryConf(settings)
}

func transports(transport string) thrift.TTransportFactory {
	switch transport {
	case "framed":
		return thrift.NewTFramedTransportFactoryConf(thrift.NewTTransportFactory(), nil)
	case "zlib":
		return thrift.NewTZlibTransportFactory(6)
	case "unframed":
		return thrift.NewTBufferedTransportFactory(8192)
	}
	return thrift.NewTTransportFactory()
}

func serve(port, transport, encoding string, multiplexed bool) error {
	var processor thrift.TProcessor = peers.NewShopProcessor(shop{})
	if multiplexed {
		many := thrift.NewTMultiplexedProcessor()
		many.RegisterProcessor("Shop", processor)
		many.RegisterProcessor("Stall", peers.NewStallProcessor(stall{}))
		processor = many
	}
	factory := protocols(transport, encoding)
	if transport == "http" {
		handler := http.HandlerFunc(thrift.NewThriftHandlerFunc(processor, factory, factory))
		go http.ListenAndServe("127.0.0.1:"+port, handler)
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	socket, err := thrift.NewTServerSocket("127.0.0.1:" + port)
	if err != nil {
		return err
	}
	if err := socket.Listen(); err != nil {
		return err
	}
	go thrift.NewTSimpleServer4(processor, socket, transports(transport), factory).Serve()
	return nil
}

// One connection, and clients of services on it.
type client struct {
	transport thrift.TTransport
	shop      *peers.BiggerClient
	stall     *peers.StallClient
}

func connect(port, transport, encoding string, multiplexed bool) (*client, error) {
	var end thrift.TTransport = thrift.NewTSocketConf("127.0.0.1:"+port, configuration(transport, encoding))
	var err error
	if transport == "http" {
		end, err = thrift.NewTHttpClient("http://127.0.0.1:" + port + "/")
	} else {
		end, err = transports(transport).GetTransport(end)
	}
	if err != nil {
		return nil, err
	}
	if err := end.Open(); err != nil {
		return nil, err
	}
	protocol := protocols(transport, encoding).GetProtocol(end)
	made := &client{transport: end}
	if multiplexed {
		input, one, two := protocol, thrift.NewTMultiplexedProtocol(protocol, "Shop"), thrift.NewTMultiplexedProtocol(protocol, "Stall")
		made.shop = peers.NewBiggerClient(thrift.NewTStandardClient(input, one))
		made.stall = peers.NewStallClient(thrift.NewTStandardClient(input, two))
	} else {
		made.shop = peers.NewBiggerClient(thrift.NewTStandardClient(protocol, protocol))
	}
	return made, nil
}

func (it *client) call(ctx context.Context, name string, given []string) (string, error) {
	first := ""
	if len(given) > 0 {
		first = given[0]
	}
	told := func(value string, err error) (string, error) { return "text:" + shown(value), err }
	made := func(value thrift.TStruct, err error) (string, error) {
		if err != nil {
			return "", err
		}
		return "struct:" + written(value), nil
	}
	switch name {
	case "Shop.hello":
		return told(it.shop.Hello(ctx, text(first)))
	case "Shop.nothing":
		return "void", it.shop.Nothing(ctx)
	case "Shop.echo":
		value, err := it.shop.Echo(ctx, read(peers.NewEverything(), first))
		return made(value, err)
	case "Shop.grow":
		value, err := it.shop.Grow(ctx, read(peers.NewTree(), first), int32(number(given[1])))
		return made(value, err)
	case "Shop.swap":
		value, err := it.shop.Swap(ctx, read(peers.NewValue(), first))
		return made(value, err)
	case "Shop.find":
		value, err := it.shop.Find(ctx, text(first))
		return made(value, err)
	case "Shop.missing":
		value, err := it.shop.Missing(ctx)
		if err == nil && value == nil {
			return "null", nil
		}
		return made(value, err)
	case "Shop.check":
		return "void", it.shop.Check(ctx, text(first))
	case "Shop.fire":
		return "oneway", it.shop.Fire(ctx, text(first))
	case "Shop.add":
		value, err := it.shop.Add(ctx, int32(number(first)), int32(number(given[1])))
		return fmt.Sprintf("int:%d", value), err
	case "Shop.failing":
		return told(it.shop.Failing(ctx, text(first)))
	case "Shop.notThere":
		return told(it.shop.NotThere(ctx, text(first)))
	case "Stall.hello":
		return told(it.stall.Hello(ctx, text(first)))
	}
	var many []int64
	for _, each := range strings.Split(first, ";") {
		many = append(many, number(each))
	}
	value, err := it.stall.Count(ctx, many)
	return fmt.Sprintf("int:%d", value), err
}

func calls(words []string) []string {
	given := ctx
	if words[5] != "-" {
		var keys []string
		for _, each := range strings.Split(words[5], ",") {
			key, value, _ := strings.Cut(each, "=")
			given = thrift.SetHeader(given, key, value)
			keys = append(keys, key)
		}
		given = thrift.SetWriteHeaderList(given, keys)
	}
	var said []string
	var open *client
	for _, each := range words[6:] {
		name, list, _ := strings.Cut(each, ":")
		var arguments []string
		if list != "" {
			arguments = strings.Split(list, ",")
		}
		var err error
		var what string
		if open == nil {
			open, err = connect(words[1], words[2], words[3], words[4] == "1")
		}
		if err == nil {
			what, err = open.call(given, name, arguments)
		}
		var oops *peers.Oops
		var denied *peers.Denied
		var known thrift.TApplicationException
		switch {
		case err == nil:
		case errors.As(err, &oops):
			what = "Oops:" + written(oops)
		case errors.As(err, &denied):
			what = "Denied:" + written(denied)
		case errors.As(err, &known):
			what = fmt.Sprintf("application:%d:%s", known.TypeId(), shown(known.Error()))
		default:
			what = "lost:" + shown(err.Error())
			if open != nil {
				open.transport.Close()
			}
			open = nil
		}
		said = append(said, what)
	}
	if open != nil {
		open.transport.Close()
	}
	return said
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		answer := []string{"serves"}
		switch words[0] {
		case "serve":
			if err := serve(words[1], words[2], words[3], words[4] == "1"); err != nil {
				answer = []string{"error", err.Error()}
			}
		case "call":
			answer = calls(words)
		default:
			lock.Lock()
			answer = append([]string{"seen"}, seen...)
			seen = nil
			lock.Unlock()
		}
		fmt.Println(strings.Join(answer, " "))
	}
}
