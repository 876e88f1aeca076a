// Clients of Redis, of go-redis, which do what lines of JSON tell them, and say in lines of JSON what came of it. See redis_peers.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

type order struct {
	Do       string
	To       int
	Resp     int
	Database int
	Watched  []string
	Commands [][]string
	Channels []string
	Sends    [][]string
	Keys     []string
	Turns    int
	Size     int
}

var (
	ctx     = context.Background()
	clients = map[string]*redis.Client{}
)

func client(told order) *redis.Client {
	key := fmt.Sprint(told.To, told.Resp, told.Database)
	if clients[key] == nil {
		clients[key] = redis.NewClient(&redis.Options{
			Addr: fmt.Sprintf("127.0.0.1:%d", told.To), Protocol: told.Resp, DB: told.Database, PoolSize: 20,
			ReadTimeout: 20 * time.Second, MaxRetries: 10, MinRetryBackoff: 10 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond,
		})
	}
	return clients[key]
}

// plain is a value as JSON has it; maps, which only RESP3 has, are objects with a "map".
func plain(value any, err error) any {
	if err == redis.Nil {
		return nil
	}
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	switch found := value.(type) {
	case []any:
		list := []any{}
		for _, each := range found {
			if failed, is := each.(error); is {
				list = append(list, plain(nil, failed))
			} else {
				list = append(list, plain(each, nil))
			}
		}
		return list
	case map[any]any:
		fields := map[string]any{}
		for name, each := range found {
			fields[fmt.Sprint(name)] = plain(each, nil)
		}
		return map[string]any{"map": fields}
	}
	return value
}

func words(command []string) []any {
	list := make([]any, len(command))
	for at, each := range command {
		list[at] = each
	}
	return list
}

func results(commands []redis.Cmder) []any {
	list := []any{}
	for _, each := range commands {
		list = append(list, plain(each.(*redis.Cmd).Result()))
	}
	return list
}

// each asks them one after another.
func each(told order) any {
	list := []any{}
	for _, command := range told.Commands {
		list = append(list, plain(client(told).Do(ctx, words(command)...).Result()))
	}
	return map[string]any{"results": list}
}

// pipeline asks all at once.
func pipeline(told order) any {
	pipe := client(told).Pipeline()
	for _, command := range told.Commands {
		pipe.Do(ctx, words(command)...)
	}
	done, _ := pipe.Exec(ctx)
	return map[string]any{"results": results(done)}
}

// multi asks all in a transaction, of which `Watched` are watched.
func multi(told order) any {
	var list []any
	err := client(told).Watch(ctx, func(tx *redis.Tx) error {
		done, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, command := range told.Commands {
				pipe.Do(ctx, words(command)...)
			}
			return nil
		})
		list = results(done)
		return err
	}, told.Watched...)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"results": list}
}

// subscribe listens to channels while `Sends` are published, and says what came.
func subscribe(told order) any {
	listener := client(told).Subscribe(ctx, told.Channels...)
	defer listener.Close()
	for range told.Channels {
		if _, err := listener.ReceiveTimeout(ctx, 10*time.Second); err != nil {
			return map[string]any{"error": err.Error()}
		}
	}
	for _, each := range told.Sends {
		client(told).Publish(ctx, each[0], each[1])
	}
	came := []any{}
	for range told.Sends {
		message, err := listener.ReceiveTimeout(ctx, 10*time.Second)
		if err != nil {
			return map[string]any{"error": err.Error(), "came": came}
		}
		if found, is := message.(*redis.Message); is {
			came = append(came, []string{found.Channel, found.Payload})
		}
	}
	return map[string]any{"came": came}
}

// load lets a worker for each key write and read it so many times, values of `Size` octets, and counts what was not what it had written.
func load(told order) any {
	var lock sync.Mutex
	var wait sync.WaitGroup
	right, wrong, failed := 0, []string{}, []string{}
	for _, key := range told.Keys {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for turn := range told.Turns {
				value := fmt.Sprint(key, " ", turn, strings.Repeat("x", told.Size))
				err := client(told).Set(ctx, key, value, 0).Err()
				found := ""
				if err == nil {
					found, err = client(told).Get(ctx, key).Result()
				}
				lock.Lock()
				if err != nil {
					failed = append(failed, err.Error())
				} else if found != value {
					wrong = append(wrong, found[:min(len(found), 50)])
				} else {
					right++
				}
				lock.Unlock()
			}
		}()
	}
	wait.Wait()
	return map[string]any{"right": right, "wrong": wrong, "failed": failed}
}

func main() {
	does := map[string]func(order) any{"each": each, "pipeline": pipeline, "multi": multi, "subscribe": subscribe, "load": load, "cache": cache}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var told order
		if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
			panic(err)
		}
		said, err := json.Marshal(does[told.Do](told))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(said))
	}
}
