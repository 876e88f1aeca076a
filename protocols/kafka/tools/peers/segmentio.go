package main

import (
	"context"
	"errors"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

var segmentio = map[string]func(Ask) (Said, error){
	"produce": segmentioProduce, "consume": segmentioConsume, "admin": segmentioAdmin,
}

func sorted(names []string) []string {
	sort.Strings(names)
	return names
}

func split(text string) (string, int, int) {
	parts := strings.Split(text, ":")
	partitions, _ := strconv.Atoi(parts[1])
	copies, _ := strconv.Atoi(parts[2])
	return parts[0], partitions, copies
}

// The words of the protocol for what kafka-go spells in its own way.
func segmentioName(err error) string {
	var several kafka.WriteErrors
	if errors.As(err, &several) {
		for _, each := range several {
			if each != nil {
				return segmentioName(each)
			}
		}
	}
	var found kafka.Error
	if errors.As(err, &found) {
		words := strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(found.Title()))
		return words
	}
	if err == nil {
		return "NONE"
	}
	return err.Error()
}

func segmentioSASL(ask Ask) sasl.Mechanism {
	user, word := ask.Options["user"], ask.Options["password"]
	switch ask.Options["mechanism"] {
	case "PLAIN":
		return plain.Mechanism{Username: user, Password: word}
	case "SCRAM-SHA-256":
		found, _ := scram.Mechanism(scram.SHA256, user, word)
		return found
	case "SCRAM-SHA-512":
		found, _ := scram.Mechanism(scram.SHA512, user, word)
		return found
	}
	return nil
}

type manual struct{ turn []int }

// Balance gives each message the partition that was asked for; WriterData carries it.
func (it *manual) Balance(message kafka.Message, partitions ...int) int {
	return message.WriterData.(int)
}

func segmentioProduce(ask Ask) (Said, error) {
	codecs := map[string]compress.Compression{"gzip": compress.Gzip, "snappy": compress.Snappy, "lz4": compress.Lz4, "zstd": compress.Zstd}
	transport := &kafka.Transport{SASL: segmentioSASL(ask)}
	defer transport.CloseIdleConnections()
	sent := make([]any, len(ask.Records))
	var messages []kafka.Message
	for _, each := range ask.Records {
		message := kafka.Message{Key: octets(each.Key), Value: octets(each.Value), WriterData: each.Partition}
		for name, value := range each.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: name, Value: []byte(value)})
		}
		messages = append(messages, message)
	}
	writer := &kafka.Writer{
		Addr: kafka.TCP(strings.Split(ask.To, ",")...), Topic: ask.Topic, Balancer: &manual{}, Compression: codecs[ask.Options["compression"]],
		Transport: transport, BatchTimeout: 10 * time.Millisecond, RequiredAcks: kafka.RequireAll, MaxAttempts: 3,
	}
	if ask.Options["acks"] == "0" {
		writer.RequiredAcks = kafka.RequireNone
	}
	writer.Completion = func(done []kafka.Message, err error) {
		for _, each := range done {
			for number := range messages {
				if sent[number] == nil && string(messages[number].Value) == string(each.Value) {
					if err != nil {
						sent[number] = segmentioName(err)
					} else {
						sent[number] = []int64{int64(each.Partition), each.Offset}
					}
					break
				}
			}
		}
	}
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := writer.WriteMessages(within, messages...)
	closed := writer.Close()
	if err == nil {
		err = closed
	}
	said := Said{"sent": sent}
	if err != nil {
		said["failed"] = segmentioName(err)
	}
	return said, nil
}

func segmentioConsume(ask Ask) (Said, error) {
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dialer := &kafka.Dialer{Timeout: 10 * time.Second, SASLMechanism: segmentioSASL(ask)}
	config := kafka.ReaderConfig{Brokers: strings.Split(ask.To, ","), Topic: ask.Topic, StartOffset: kafka.FirstOffset, Dialer: dialer, MaxWait: 500 * time.Millisecond}
	var readers []*kafka.Reader
	if ask.Group != "" {
		config.GroupID = ask.Group
		readers = append(readers, kafka.NewReader(config))
	} else {
		connection, err := dialer.DialContext(within, "tcp", strings.Split(ask.To, ",")[0])
		if err != nil {
			return nil, err
		}
		partitions, err := connection.ReadPartitions(ask.Topic)
		connection.Close()
		if err != nil {
			return nil, err
		}
		for _, each := range partitions {
			config.Partition = each.ID
			readers = append(readers, kafka.NewReader(config))
		}
	}
	records := []Said{}
	var last []kafka.Message
	committed := Said{}
	for number, reader := range readers {
		for len(records) < ask.Count && within.Err() == nil {
			wait, stop := within, context.CancelFunc(func() {})
			if ask.Group == "" && number < len(readers) {
				wait, stop = context.WithTimeout(within, 1500*time.Millisecond)
			}
			message, err := reader.FetchMessage(wait)
			stop()
			if err != nil {
				break
			}
			last = append(last, message)
			headers := map[string]string{}
			for _, it := range message.Headers {
				headers[it.Key] = string(it.Value)
			}
			records = append(records, described(int32(message.Partition), message.Offset, message.Key, message.Value, headers))
			committed[strconv.Itoa(message.Partition)] = message.Offset + 1
		}
	}
	said := Said{"records": records}
	if ask.Group != "" {
		if err := readers[0].CommitMessages(within, last...); err != nil {
			return nil, err
		}
		said["committed"] = committed
	}
	for _, reader := range readers {
		reader.Close()
	}
	return said, nil
}

func segmentioAdmin(ask Ask) (Said, error) {
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	transport := &kafka.Transport{SASL: segmentioSASL(ask)}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(strings.Split(ask.To, ",")...), Transport: transport}
	steps := []Said{}
	for _, step := range ask.Steps {
		found := Said{}
		switch step[0] {
		case "create":
			request := &kafka.CreateTopicsRequest{}
			for _, each := range step[1:] {
				name, partitions, copies := split(each)
				request.Topics = append(request.Topics, kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: copies})
			}
			answer, err := client.CreateTopics(within, request)
			if err != nil {
				return nil, err
			}
			for name, err := range answer.Errors {
				found[name] = segmentioName(err)
			}
		case "delete":
			answer, err := client.DeleteTopics(within, &kafka.DeleteTopicsRequest{Topics: step[1:]})
			if err != nil {
				return nil, err
			}
			for name, err := range answer.Errors {
				found[name] = segmentioName(err)
			}
		case "topics":
			answer, err := client.Metadata(within, &kafka.MetadataRequest{})
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, each := range answer.Topics {
				names = append(names, each.Name)
			}
			found["names"] = sorted(names)
		case "groups":
			answer, err := client.ListGroups(within, &kafka.ListGroupsRequest{})
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, each := range answer.Groups {
				names = append(names, each.GroupID)
			}
			found["names"] = sorted(names)
		}
		steps = append(steps, found)
	}
	return Said{"steps": steps}, nil
}
