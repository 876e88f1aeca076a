package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var franz = map[string]func(Ask) (Said, error){
	"produce": franzProduce, "consume": franzConsume, "transact": franzTransact, "admin": franzAdmin,
}

func franzClient(ask Ask, more ...kgo.Opt) (*kgo.Client, error) {
	options := append([]kgo.Opt{kgo.SeedBrokers(strings.Split(ask.To, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, more...)
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	options = append(options, kgo.ProducerBatchCompression(codecs[ask.Options["compression"]]))
	if ask.Options["acks"] == "0" {
		options = append(options, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	}
	user, word := ask.Options["user"], ask.Options["password"]
	switch ask.Options["mechanism"] {
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Auth{User: user, Pass: word}.AsMechanism()))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: word}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: word}.AsSha512Mechanism()))
	}
	return kgo.NewClient(options...)
}

func franzName(err error) string {
	var found *kerr.Error
	if errors.As(err, &found) {
		return found.Message
	}
	return err.Error()
}

func franzRecords(topic string, records []Record) []*kgo.Record {
	var found []*kgo.Record
	for _, each := range records {
		record := &kgo.Record{Topic: topic, Partition: int32(each.Partition), Key: octets(each.Key), Value: octets(each.Value)}
		for name, value := range each.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
		found = append(found, record)
	}
	return found
}

func franzSent(results kgo.ProduceResults, records []*kgo.Record) []any {
	failed := map[*kgo.Record]error{}
	for _, each := range results {
		failed[each.Record] = each.Err
	}
	sent := []any{}
	for _, each := range records { // the results come as they finish
		if failed[each] != nil {
			sent = append(sent, franzName(failed[each]))
		} else {
			sent = append(sent, []int64{int64(each.Partition), each.Offset})
		}
	}
	return sent
}

func franzProduce(ask Ask) (Said, error) {
	client, err := franzClient(ask)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	records := franzRecords(ask.Topic, ask.Records)
	return Said{"sent": franzSent(client.ProduceSync(within, records...), records)}, nil
}

func franzConsume(ask Ask) (Said, error) {
	options := []kgo.Opt{kgo.ConsumeTopics(ask.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500 * time.Millisecond)}
	if ask.Group != "" {
		options = append(options, kgo.ConsumerGroup(ask.Group), kgo.DisableAutoCommit())
	}
	client, err := franzClient(ask, options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	records := []Said{}
	for len(records) < ask.Count && within.Err() == nil {
		client.PollFetches(within).EachRecord(func(each *kgo.Record) {
			headers := map[string]string{}
			for _, it := range each.Headers {
				headers[it.Key] = string(it.Value)
			}
			records = append(records, described(each.Partition, each.Offset, each.Key, each.Value, headers))
		})
	}
	said := Said{"records": records}
	if ask.Group != "" {
		if err := client.CommitUncommittedOffsets(within); err != nil {
			return nil, err
		}
		committed := Said{}
		for partition, each := range client.CommittedOffsets()[ask.Topic] {
			committed[strconv.Itoa(int(partition))] = each.Offset
		}
		member, generation := client.GroupMetadata()
		said["committed"], said["member"], said["generation"] = committed, member, generation
	}
	return said, nil
}

func franzTransact(ask Ask) (Said, error) {
	client, err := franzClient(ask, kgo.TransactionalID(ask.ID))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rounds := []any{}
	for _, each := range ask.Rounds {
		if err := client.BeginTransaction(); err != nil {
			return nil, err
		}
		records := franzRecords(ask.Topic, each.Records)
		rounds = append(rounds, franzSent(client.ProduceSync(within, records...), records))
		if err := client.EndTransaction(within, kgo.TransactionEndTry(each.Commit)); err != nil {
			return nil, err
		}
	}
	return Said{"rounds": rounds}, nil
}

func franzWord(code int16) string {
	if err := kerr.ErrorForCode(code); err != nil {
		return franzName(err)
	}
	return "NONE"
}

func franzAdmin(ask Ask) (Said, error) {
	client, err := franzClient(ask)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	steps := []Said{}
	for _, step := range ask.Steps {
		found := Said{}
		switch step[0] {
		case "create":
			request := kmsg.NewPtrCreateTopicsRequest()
			for _, each := range step[1:] {
				topic := kmsg.NewCreateTopicsRequestTopic()
				name, parts, copies := split(each)
				topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(parts), int16(copies)
				request.Topics = append(request.Topics, topic)
			}
			answer, err := request.RequestWith(within, client)
			if err != nil {
				return nil, err
			}
			for _, each := range answer.Topics {
				found[each.Topic] = franzWord(each.ErrorCode)
			}
		case "delete":
			request := kmsg.NewPtrDeleteTopicsRequest()
			for _, each := range step[1:] {
				name := each
				topic := kmsg.NewDeleteTopicsRequestTopic()
				topic.Topic = &name
				request.Topics = append(request.Topics, topic)
				request.TopicNames = append(request.TopicNames, name)
			}
			answer, err := request.RequestWith(within, client)
			if err != nil {
				return nil, err
			}
			for _, each := range answer.Topics {
				found[*each.Topic] = franzWord(each.ErrorCode)
			}
		case "topics":
			request := kmsg.NewPtrMetadataRequest()
			answer, err := request.RequestWith(within, client)
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, each := range answer.Topics {
				names = append(names, *each.Topic)
			}
			found["names"] = sorted(names)
		case "groups":
			answer, err := kmsg.NewPtrListGroupsRequest().RequestWith(within, client)
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, each := range answer.Groups {
				names = append(names, each.Group)
			}
			found["names"] = sorted(names)
		}
		steps = append(steps, found)
	}
	return Said{"steps": steps}, nil
}
