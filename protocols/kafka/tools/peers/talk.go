// The clients for Go, for peers.py: reads a line of JSON for each thing to do, and prints one of JSON for what came of it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type Record struct {
	Partition int               `json:"partition"`
	Key       *string           `json:"key"`
	Value     *string           `json:"value"`
	Headers   map[string]string `json:"headers"`
}

type Round struct {
	Records []Record `json:"records"`
	Commit  bool     `json:"commit"`
}

type Ask struct {
	Do      string            `json:"do"`
	To      string            `json:"to"`
	Topic   string            `json:"topic"`
	Group   string            `json:"group"`
	Count   int               `json:"count"`
	ID      string            `json:"id"`
	Records []Record          `json:"records"`
	Rounds  []Round           `json:"rounds"`
	Steps   [][]string        `json:"steps"`
	Options map[string]string `json:"options"`
}

type Said map[string]any

func octets(text *string) []byte {
	if text == nil {
		return nil
	}
	return []byte(*text)
}

func text(octets []byte) any {
	if octets == nil {
		return nil
	}
	return string(octets)
}

func described(partition int32, offset int64, key, value []byte, headers map[string]string) Said {
	found := Said{"partition": partition, "offset": offset, "key": text(key), "value": text(value)}
	if len(headers) > 0 {
		found["headers"] = headers
	}
	return found
}

func main() {
	clients := map[string]map[string]func(Ask) (Said, error){"franz_go": franz, "kafka_go": segmentio, "sarama": ibm}
	client := clients[os.Args[1]]
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var ask Ask
		said := Said{}
		if err = json.Unmarshal(line, &ask); err == nil {
			if do := client[ask.Do]; do == nil {
				err = fmt.Errorf("no %s", ask.Do)
			} else {
				said, err = do(ask)
			}
		}
		if err != nil {
			said = Said{"error": err.Error()}
		}
		answer, _ := json.Marshal(said)
		fmt.Println(string(answer))
	}
}
