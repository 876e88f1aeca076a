package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

var ibm = map[string]func(Ask) (Said, error){
	"produce": saramaProduce, "consume": saramaConsume, "transact": saramaTransact, "admin": saramaAdmin,
}

func saramaConfig(ask Ask) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	if ask.Options["acks"] == "0" {
		config.Producer.RequiredAcks = sarama.NoResponse
	}
	config.Producer.Compression = map[string]sarama.CompressionCodec{
		"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[ask.Options["compression"]]
	if mechanism := ask.Options["mechanism"]; mechanism != "" {
		config.Net.SASL.Enable = true
		config.Net.SASL.Mechanism = sarama.SASLMechanism(mechanism)
		config.Net.SASL.User, config.Net.SASL.Password = ask.Options["user"], ask.Options["password"]
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaScram{mechanism: mechanism} }
	}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.MaxWaitTime = 500 * time.Millisecond
	return config
}

// sarama has SCRAM's exchange from who uses it.
type saramaScram struct {
	mechanism string
	talk      *scram.ClientConversation
}

func (s *saramaScram) Begin(user, password, authzID string) error {
	hash := map[string]scram.HashGeneratorFcn{"SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512}[s.mechanism]
	client, err := hash.NewClient(user, password, authzID)
	if err == nil {
		s.talk = client.NewConversation()
	}
	return err
}

func (s *saramaScram) Step(challenge string) (string, error) { return s.talk.Step(challenge) }
func (s *saramaScram) Done() bool                            { return s.talk.Done() }

func saramaServers(ask Ask) []string { return strings.Split(ask.To, ",") }

// The words of the protocol for what sarama spells as sentences.
func saramaName(err error) string {
	var topic *sarama.TopicError
	if errors.As(err, &topic) {
		err = topic.Err
	}
	words := map[sarama.KError]string{
		sarama.ErrNoError: "NONE", sarama.ErrTopicAlreadyExists: "TOPIC_ALREADY_EXISTS", sarama.ErrInvalidReplicationFactor: "INVALID_REPLICATION_FACTOR",
		sarama.ErrUnknownTopicOrPartition: "UNKNOWN_TOPIC_OR_PARTITION",
	}
	for code, word := range words {
		if errors.Is(err, code) {
			return word
		}
	}
	return err.Error()
}

func saramaSend(producer sarama.SyncProducer, topic string, records []Record) []any {
	sent := []any{}
	for _, each := range records {
		message := &sarama.ProducerMessage{Topic: topic, Partition: int32(each.Partition)}
		if each.Key != nil {
			message.Key = sarama.StringEncoder(*each.Key)
		}
		if each.Value != nil {
			message.Value = sarama.StringEncoder(*each.Value)
		}
		for name, value := range each.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
		}
		partition, offset, err := producer.SendMessage(message)
		if err != nil {
			sent = append(sent, saramaName(err))
		} else {
			sent = append(sent, []int64{int64(partition), offset})
		}
	}
	return sent
}

func saramaProduce(ask Ask) (Said, error) {
	producer, err := sarama.NewSyncProducer(saramaServers(ask), saramaConfig(ask))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	return Said{"sent": saramaSend(producer, ask.Topic, ask.Records)}, nil
}

func saramaDescribed(each *sarama.ConsumerMessage) Said {
	headers := map[string]string{}
	for _, it := range each.Headers {
		headers[string(it.Key)] = string(it.Value)
	}
	return described(each.Partition, each.Offset, each.Key, each.Value, headers)
}

// One member of a group, until it has read so many records.
type saramaMember struct {
	lock    sync.Mutex
	count   int
	records []Said
	next    map[int32]int64
	said    Said
	done    context.CancelFunc
}

func (m *saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case each, more := <-claim.Messages():
			if !more {
				return nil
			}
			m.lock.Lock()
			m.records = append(m.records, saramaDescribed(each))
			m.next[each.Partition] = each.Offset + 1
			session.MarkMessage(each, "")
			if len(m.records) == m.count {
				session.Commit()
				committed := Said{}
				for partition, offset := range m.next {
					committed[strconv.Itoa(int(partition))] = offset
				}
				m.said["committed"], m.said["member"], m.said["generation"] = committed, session.MemberID(), session.GenerationID()
				m.done()
			}
			m.lock.Unlock()
		case <-session.Context().Done():
			return nil
		}
	}
}

func saramaConsume(ask Ask) (Said, error) {
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if ask.Group == "" {
		return saramaRead(within, ask)
	}
	group, err := sarama.NewConsumerGroup(saramaServers(ask), ask.Group, saramaConfig(ask))
	if err != nil {
		return nil, err
	}
	defer group.Close()
	member := &saramaMember{count: ask.Count, next: map[int32]int64{}, said: Said{}, done: cancel}
	for within.Err() == nil {
		if err := group.Consume(within, []string{ask.Topic}, member); err != nil && within.Err() == nil {
			return nil, err
		}
	}
	member.said["records"] = member.records
	return member.said, nil
}

// All partitions from their beginning, without a group.
func saramaRead(within context.Context, ask Ask) (Said, error) {
	consumer, err := sarama.NewConsumer(saramaServers(ask), saramaConfig(ask))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(ask.Topic)
	if err != nil {
		return nil, err
	}
	messages := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		reads, err := consumer.ConsumePartition(ask.Topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		defer reads.Close()
		go func() {
			for each := range reads.Messages() {
				select {
				case messages <- each:
				case <-within.Done():
				}
			}
		}()
	}
	records := []Said{}
	for len(records) < ask.Count && within.Err() == nil {
		select {
		case each := <-messages:
			records = append(records, saramaDescribed(each))
		case <-within.Done():
		}
	}
	return Said{"records": records}, nil
}

func saramaTransact(ask Ask) (Said, error) {
	config := saramaConfig(ask)
	config.Producer.Idempotent = true
	config.Producer.Transaction.ID = ask.ID
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(saramaServers(ask), config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	rounds := []any{}
	for _, each := range ask.Rounds {
		if err := producer.BeginTxn(); err != nil {
			return nil, err
		}
		rounds = append(rounds, saramaSend(producer, ask.Topic, each.Records))
		end := producer.AbortTxn
		if each.Commit {
			end = producer.CommitTxn
		}
		if err := end(); err != nil {
			return nil, err
		}
	}
	return Said{"rounds": rounds}, nil
}

func saramaAdmin(ask Ask) (Said, error) {
	admin, err := sarama.NewClusterAdmin(saramaServers(ask), saramaConfig(ask))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	steps := []Said{}
	for _, step := range ask.Steps {
		found := Said{}
		switch step[0] {
		case "create":
			for _, each := range step[1:] {
				name, parts, copies := split(each)
				err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: int32(parts), ReplicationFactor: int16(copies)}, false)
				found[name] = "NONE"
				if err != nil {
					found[name] = saramaName(err)
				}
			}
		case "delete":
			for _, each := range step[1:] {
				found[each] = "NONE"
				if err := admin.DeleteTopic(each); err != nil {
					found[each] = saramaName(err)
				}
			}
		case "topics":
			topics, err := admin.ListTopics()
			if err != nil {
				return nil, err
			}
			names := []string{}
			for name := range topics {
				names = append(names, name)
			}
			found["names"] = sorted(names)
		case "groups":
			groups, err := admin.ListConsumerGroups()
			if err != nil {
				return nil, err
			}
			names := []string{}
			for name := range groups {
				names = append(names, name)
			}
			found["names"] = sorted(names)
		}
		steps = append(steps, found)
	}
	return Said{"steps": steps}, nil
}
