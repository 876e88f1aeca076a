import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java clients of Apache Kafka, for peers.py: reads a line of JSON for each thing to do, and prints one of JSON for what came of it. */
@SuppressWarnings("removal")
public class Talk {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Duration SHORT = Duration.ofMillis(100);

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            Map<String, Object> said = new LinkedHashMap<>();
            try {
                JsonNode ask = JSON.readTree(line);
                switch (ask.get("do").asText()) {
                    case "produce" -> produce(ask, said);
                    case "consume" -> consume(ask, said);
                    case "share" -> share(ask, said);
                    case "transact" -> transact(ask, said);
                    case "process" -> process(ask, said);
                    case "load" -> load(ask, said);
                    case "fetch" -> fetch(ask, said);
                    case "stream" -> stream(ask, said);
                    case "admin" -> admin(ask, said);
                    default -> throw new IllegalArgumentException(line);
                }
            } catch (Throwable error) {
                said.put("error", name(error));
                said.put("message", String.valueOf(error.getMessage()));
            }
            System.out.println(JSON.writeValueAsString(said));
        }
    }

    /** The word of the protocol for an error; the class where it has none. */
    static String name(Throwable error) {
        if (error instanceof ExecutionException && error.getCause() != null) error = error.getCause();
        Errors found = Errors.forException(error);
        return found == Errors.UNKNOWN_SERVER_ERROR ? error.getClass().getSimpleName() : found.name();
    }

    static Properties options(JsonNode ask, String... more) {
        Properties found = new Properties();
        found.put("bootstrap.servers", ask.get("to").asText());
        for (int at = 0; at < more.length; at += 2) found.put(more[at], more[at + 1]);
        if (ask.has("options")) ask.get("options").properties().forEach(each -> found.put(each.getKey(), each.getValue().asText()));
        return found;
    }

    static KafkaProducer<byte[], byte[]> producer(JsonNode ask, String... more) {
        return new KafkaProducer<>(options(ask, more), new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(JsonNode ask, String... more) {
        return new KafkaConsumer<>(options(ask, more), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static byte[] octets(JsonNode text) {
        return text == null || text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] octets) {
        return octets == null ? null : new String(octets, StandardCharsets.UTF_8);
    }

    static ProducerRecord<byte[], byte[]> record(JsonNode ask, JsonNode each) {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
            ask.get("topic").asText(), each.has("partition") ? each.get("partition").asInt() : null,
            octets(each.get("key")), octets(each.get("value")));
        if (each.has("headers")) each.get("headers").properties().forEach(it -> record.headers().add(it.getKey(), octets(it.getValue())));
        return record;
    }

    /** records: partition, key, value, headers, and the pause (ms) behind it. Says for each where it stands: partition and offset, or the error. */
    static void produce(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> sent = new ArrayList<>();
        said.put("sent", sent);
        try (KafkaProducer<byte[], byte[]> producer = producer(ask)) {
            List<Future<RecordMetadata>> waiting = new ArrayList<>();
            for (JsonNode each : ask.get("records")) {
                waiting.add(producer.send(record(ask, each)));
                if (each.has("pause")) {
                    producer.flush();
                    Thread.sleep(each.get("pause").asInt());
                }
            }
            producer.flush();
            for (Future<RecordMetadata> each : waiting) {
                try {
                    RecordMetadata where = each.get();
                    sent.add(List.of(where.partition(), where.offset()));
                } catch (ExecutionException error) {
                    sent.add(name(error));
                }
            }
        }
    }

    static Map<String, Object> described(int partition, long offset, byte[] key, byte[] value, Iterable<Header> headers) {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("partition", partition);
        found.put("offset", offset);
        found.put("key", text(key));
        found.put("value", text(value));
        Map<String, Object> named = new LinkedHashMap<>();
        for (Header each : headers) named.put(each.key(), text(each.value()));
        if (!named.isEmpty()) found.put("headers", named);
        return found;
    }

    /** count records of a topic, in a group (which commits them) or, without one, of all its partitions from the beginning. */
    static void consume(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> records = new ArrayList<>();
        said.put("records", records);
        String group = ask.path("group").asText("");
        String[] more = group.isEmpty()
            ? new String[] {"auto.offset.reset", "earliest"}
            : new String[] {"auto.offset.reset", "earliest", "group.id", group, "enable.auto.commit", "false"};
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(ask, more)) {
            String topic = ask.get("topic").asText();
            if (group.isEmpty()) {
                List<TopicPartition> all = new ArrayList<>();
                consumer.partitionsFor(topic).forEach(each -> all.add(new TopicPartition(topic, each.partition())));
                consumer.assign(all);
                consumer.seekToBeginning(all);
            } else {
                consumer.subscribe(List.of(topic));
            }
            long end = System.currentTimeMillis() + ask.path("patience").asInt(20000);
            while (records.size() < ask.get("count").asInt() && System.currentTimeMillis() < end) {
                for (ConsumerRecord<byte[], byte[]> each : consumer.poll(SHORT))
                    records.add(described(each.partition(), each.offset(), each.key(), each.value(), each.headers()));
            }
            if (!group.isEmpty()) {
                consumer.commitSync();
                said.put("generation", consumer.groupMetadata().generationId());
                said.put("member", consumer.groupMetadata().memberId());
                Map<String, Object> committed = new TreeMap<>();
                consumer.committed(consumer.assignment()).forEach((where, what) -> {
                    if (what != null) committed.put(String.valueOf(where.partition()), what.offset());
                });
                said.put("committed", committed);
            }
        }
    }

    /** count records of a share group; explicit: the first is rejected, the others accepted. */
    static void share(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> records = new ArrayList<>();
        said.put("records", records);
        boolean explicit = ask.path("explicit").asBoolean();
        Properties options = options(ask, "group.id", ask.get("group").asText(),
            "share.acknowledgement.mode", explicit ? "explicit" : "implicit");
        try (Admin admin = Admin.create(options(ask))) {
            ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, ask.get("group").asText());
            AlterConfigOp earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(group, List.of(earliest))).all().get();
        }
        try (KafkaShareConsumer<byte[], byte[]> consumer =
                new KafkaShareConsumer<>(options, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(ask.get("topic").asText()));
            long end = System.currentTimeMillis() + 20000;
            while (records.size() < ask.get("count").asInt() && System.currentTimeMillis() < end) {
                for (ConsumerRecord<byte[], byte[]> each : consumer.poll(SHORT)) {
                    if (explicit) consumer.acknowledge(each, records.isEmpty() ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
                    records.add(described(each.partition(), each.offset(), each.key(), each.value(), each.headers()));
                }
            }
            Map<String, Object> committed = new TreeMap<>();
            consumer.commitSync().forEach((where, error) -> committed.put(String.valueOf(where.topicPartition().partition()),
                error.map(Talk::name).orElse("NONE")));
            said.put("committed", committed);
        }
    }

    /** rounds: of each its records, and whether it is to commit or to abort. */
    static void transact(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> rounds = new ArrayList<>();
        said.put("rounds", rounds);
        try (KafkaProducer<byte[], byte[]> producer = producer(ask, "transactional.id", ask.get("id").asText())) {
            producer.initTransactions();
            for (JsonNode round : ask.get("rounds")) {
                producer.beginTransaction();
                List<Future<RecordMetadata>> waiting = new ArrayList<>();
                for (JsonNode each : round.get("records")) waiting.add(producer.send(record(ask, each)));
                producer.flush();
                List<Object> sent = new ArrayList<>();
                for (Future<RecordMetadata> each : waiting) sent.add(List.of(each.get().partition(), each.get().offset()));
                rounds.add(sent);
                if (round.has("group")) {
                    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                    offsets.put(new TopicPartition(ask.get("topic").asText(), 0), new OffsetAndMetadata(round.get("offset").asLong()));
                    producer.sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(round.get("group").asText()));
                }
                if (round.get("commit").asBoolean()) producer.commitTransaction(); else producer.abortTransaction();
            }
        }
    }

    /** Copies count records from one topic to another, each batch in a transaction with its offsets, and starts again after an error. */
    static void process(JsonNode ask, Map<String, Object> said) throws Exception {
        String from = ask.get("topic").asText(), to = ask.get("target").asText(), group = ask.get("group").asText();
        int count = ask.get("count").asInt(), done = 0, batches = 0, aborted = 0;
        long end = System.currentTimeMillis() + ask.path("patience").asInt(60000);
        while (done < count && System.currentTimeMillis() < end) {
            try (KafkaProducer<byte[], byte[]> producer = producer(ask, "transactional.id", ask.get("id").asText());
                 KafkaConsumer<byte[], byte[]> consumer = consumer(ask, "auto.offset.reset", "earliest", "group.id", group,
                     "enable.auto.commit", "false", "isolation.level", "read_committed",
                     "max.poll.records", ask.path("batch").asText("50"))) {
                producer.initTransactions();
                consumer.subscribe(List.of(from));
                try {
                    while (done < count && System.currentTimeMillis() < end) {
                        ConsumerRecords<byte[], byte[]> records = consumer.poll(SHORT);
                        if (records.isEmpty()) {
                            done = processed(consumer, from);
                            continue;
                        }
                        producer.beginTransaction();
                        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                        for (ConsumerRecord<byte[], byte[]> each : records) {
                            producer.send(new ProducerRecord<>(to, each.partition(), each.key(), each.value()));
                            offsets.put(new TopicPartition(from, each.partition()), new OffsetAndMetadata(each.offset() + 1));
                        }
                        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                        producer.commitTransaction();
                        batches++;
                        Thread.sleep(ask.path("pause").asInt(0));
                    }
                } catch (org.apache.kafka.common.KafkaException error) {
                    aborted++;
                    said.put("aborted-by", name(error) + ": " + error.getMessage());
                }
            }
        }
        said.put("done", done);
        said.put("batches", batches);
        said.put("aborted", aborted);
    }

    static int processed(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        long found = 0;
        Collection<TopicPartition> all = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(each -> all.add(new TopicPartition(topic, each.partition())));
        for (OffsetAndMetadata each : consumer.committed(new java.util.HashSet<>(all)).values()) found += each == null ? 0 : each.offset();
        return (int) found;
    }

    /** kafka-producer-perf-test itself: count records of one size as fast as they go. Says how many were sent, in how many seconds. */
    static void load(JsonNode ask, Map<String, Object> said) throws Exception {
        String all = printed(() -> org.apache.kafka.tools.ProducerPerformance.main(new String[] {
            "--topic", ask.get("topic").asText(), "--num-records", ask.get("count").asText(), "--record-size", ask.get("size").asText(),
            "--throughput", "-1", "--bootstrap-server", ask.get("to").asText()}));
        String[] lines = all.strip().split("\n");
        java.util.regex.Matcher last = java.util.regex.Pattern.compile("^(\\d+) records sent, ([\\d.]+) records/sec").matcher(lines[lines.length - 1]);
        if (!last.find()) throw new IllegalStateException(all);
        said.put("sent", Long.parseLong(last.group(1)));
        said.put("seconds", Long.parseLong(last.group(1)) / Double.parseDouble(last.group(2)));
    }

    /** kafka-consumer-perf-test itself: a new group reads a topic from its start. Says how many records and octets came, in how many seconds. */
    static void fetch(JsonNode ask, Map<String, Object> said) throws Exception {
        String all = printed(() -> org.apache.kafka.tools.ConsumerPerformance.main(new String[] {
            "--topic", ask.get("topic").asText(), "--num-records", ask.get("count").asText(), "--group", ask.get("group").asText(),
            "--hide-header", "--bootstrap-server", ask.get("to").asText()}));
        String[] lines = all.strip().split("\n");
        String[] found = lines[lines.length - 1].split(",\\s*");
        if (found.length < 10) throw new IllegalStateException(all);
        said.put("octets", Math.round(Double.parseDouble(found[2]) * (1 << 20)));
        said.put("received", Long.parseLong(found[4]));
        said.put("seconds", Long.parseLong(found[7]) / 1000.0);
    }

    interface Printing {
        void run() throws Exception;
    }

    /** What is printed meanwhile. */
    static String printed(Printing what) throws Exception {
        java.io.PrintStream out = System.out;
        java.io.ByteArrayOutputStream printed = new java.io.ByteArrayOutputStream();
        System.setOut(new java.io.PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            what.run();
        } finally {
            System.setOut(out);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }

    /** A topology of Kafka Streams: counts the values of a topic, across a topic of its own, and writes each count to another topic. */
    static void stream(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> counts = java.util.Collections.synchronizedList(new ArrayList<>());
        said.put("counts", counts);
        var texts = org.apache.kafka.common.serialization.Serdes.String();
        var builder = new org.apache.kafka.streams.StreamsBuilder();
        builder.stream(ask.get("topic").asText(), org.apache.kafka.streams.kstream.Consumed.with(texts, texts))
            .groupBy((key, value) -> value, org.apache.kafka.streams.kstream.Grouped.with("by-value", texts, texts))
            .count(org.apache.kafka.streams.kstream.Materialized.<String, Long>as(
                org.apache.kafka.streams.state.Stores.inMemoryKeyValueStore("counts")).withKeySerde(texts))
            .toStream()
            .mapValues(count -> String.valueOf(count))
            .peek((key, count) -> counts.add(List.of(key, count)))
            .to(ask.get("target").asText(), org.apache.kafka.streams.kstream.Produced.with(texts, texts));
        Properties options = options(ask, "application.id", ask.get("group").asText(), "auto.offset.reset", "earliest",
            "commit.interval.ms", "100", "statestore.cache.max.bytes", "0",
            "state.dir", java.nio.file.Files.createTempDirectory("streams").toString());
        try (var streams = new org.apache.kafka.streams.KafkaStreams(builder.build(), options)) {
            streams.start();
            long end = System.currentTimeMillis() + 60000;
            while (counts.size() < ask.get("count").asInt() && System.currentTimeMillis() < end) Thread.sleep(50);
            Thread.sleep(500); // for a commit
            said.put("state", streams.state().name());
        }
    }

    static void put(Map<String, Object> found, String what, KafkaFuture<?> future) {
        try {
            Object value = future.get();
            found.put(what, value == null ? "NONE" : String.valueOf(value));
        } catch (Exception error) {
            found.put(what, name(error));
        }
    }

    /** steps: each a word and what it is about; says of each the outcome, the error of the protocol where it failed. */
    static void admin(JsonNode ask, Map<String, Object> said) throws Exception {
        List<Object> steps = new ArrayList<>();
        said.put("steps", steps);
        try (Admin admin = Admin.create(options(ask))) {
            for (JsonNode step : ask.get("steps")) {
                Map<String, Object> found = new LinkedHashMap<>();
                steps.add(found);
                List<String> names = new ArrayList<>();
                for (int at = 1; at < step.size(); at++) names.add(step.get(at).asText());
                try {
                    switch (step.get(0).asText()) {
                        case "create" -> {
                            List<NewTopic> topics = new ArrayList<>();
                            for (String each : names) {
                                String[] parts = each.split(":");
                                topics.add(new NewTopic(parts[0], Integer.parseInt(parts[1]), Short.parseShort(parts[2])));
                            }
                            CreateTopicsResult created = admin.createTopics(topics);
                            for (String each : created.values().keySet()) {
                                put(found, each, created.values().get(each));
                                if ("NONE".equals(found.get(each))) found.put(each, created.topicId(each).get().toString());
                            }
                        }
                        case "delete" -> admin.deleteTopics(names).topicNameValues().forEach((each, future) -> put(found, each, future));
                        case "describe" -> admin.describeTopics(names).topicNameValues().forEach((each, future) -> {
                            try {
                                TopicDescription topic = future.get();
                                found.put(each, List.of(topic.topicId().toString(), topic.partitions().size(), topic.partitions().get(0).leader().id()));
                            } catch (Exception error) {
                                found.put(each, name(error));
                            }
                        });
                        case "topics" -> found.put("names", new java.util.TreeSet<>(admin.listTopics().names().get()));
                        case "cluster" -> {
                            DescribeClusterResult cluster = admin.describeCluster();
                            List<Object> nodes = new ArrayList<>();
                            cluster.nodes().get().forEach(each -> nodes.add(List.of(each.id(), each.host(), each.port())));
                            found.put("id", cluster.clusterId().get());
                            found.put("nodes", nodes);
                            found.put("controller", cluster.controller().get().id());
                        }
                        case "config" -> admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, names.get(0)))).values()
                            .forEach((each, future) -> {
                                try {
                                    found.put(each.name(), future.get().get("cleanup.policy").value());
                                } catch (Exception error) {
                                    found.put(each.name(), name(error));
                                }
                            });
                        case "set" -> {
                            ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, names.get(0));
                            AlterConfigOp set = new AlterConfigOp(new ConfigEntry(names.get(1), names.get(2)), AlterConfigOp.OpType.SET);
                            put(found, names.get(0), admin.incrementalAlterConfigs(Map.of(topic, List.of(set))).values().get(topic));
                        }
                        case "partitions" -> put(found, names.get(0),
                            admin.createPartitions(Map.of(names.get(0), NewPartitions.increaseTo(Integer.parseInt(names.get(1))))).all());
                        case "reassign" -> {
                            TopicPartition where = new TopicPartition(names.get(0), Integer.parseInt(names.get(1)));
                            List<Integer> nodes = new ArrayList<>();
                            for (String each : names.subList(2, names.size())) nodes.add(Integer.parseInt(each));
                            put(found, names.get(0), admin.alterPartitionReassignments(
                                Map.of(where, java.util.Optional.of(new NewPartitionReassignment(nodes)))).values().get(where));
                        }
                        case "offsets" -> admin.listOffsets(Map.of(new TopicPartition(names.get(0), 0), OffsetSpec.latest())).all().get()
                            .forEach((where, what) -> found.put(where.toString(), what.offset()));
                        case "lead" -> { // until somebody leads each partition, which is some time after a topic is created
                            Map<TopicPartition, OffsetSpec> all = new LinkedHashMap<>();
                            for (String each : names) {
                                String[] parts = each.split(":");
                                for (int at = 0; at < Integer.parseInt(parts[1]); at++) all.put(new TopicPartition(parts[0], at), OffsetSpec.latest());
                            }
                            for (long end = System.nanoTime() + 60_000_000_000L; ; Thread.sleep(20)) {
                                try {
                                    found.put("partitions", admin.listOffsets(all).all().get().size());
                                    break;
                                } catch (java.util.concurrent.ExecutionException error) {
                                    if (!(error.getCause() instanceof org.apache.kafka.common.errors.RetriableException) || System.nanoTime() > end) throw error;
                                }
                            }
                        }
                        case "truncate" -> {
                            TopicPartition where = new TopicPartition(names.get(0), 0);
                            found.put(names.get(0), admin.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(Long.parseLong(names.get(1)))))
                                .lowWatermarks().get(where).get().lowWatermark());
                        }
                        case "groups" -> {
                            List<String> groups = new ArrayList<>();
                            admin.listGroups().all().get().forEach(each -> groups.add(each.groupId()));
                            groups.sort(null);
                            found.put("names", groups);
                        }
                        case "describe-groups" -> admin.describeConsumerGroups(names).describedGroups().forEach((each, future) -> {
                            try {
                                found.put(each, future.get().groupState().toString());
                            } catch (Exception error) {
                                found.put(each, name(error));
                            }
                        });
                        case "delete-groups" -> admin.deleteConsumerGroups(names).deletedGroups().forEach((each, future) -> put(found, each, future));
                        case "committed" -> {
                            Map<String, Object> offsets = new TreeMap<>();
                            admin.listConsumerGroupOffsets(names.get(0)).partitionsToOffsetAndMetadata().get()
                                .forEach((where, what) -> offsets.put(where.toString(), what == null ? null : what.offset()));
                            found.putAll(offsets);
                        }
                        case "producers" -> {
                            TopicPartition where = new TopicPartition(names.get(0), 0);
                            List<Object> active = new ArrayList<>();
                            admin.describeProducers(List.of(where)).partitionResult(where).get().activeProducers()
                                .forEach(each -> active.add(List.of(each.producerId(), each.producerEpoch())));
                            found.put("producers", active);
                        }
                        case "transactions" -> {
                            List<String> ids = new ArrayList<>();
                            admin.listTransactions().all().get().forEach(each -> ids.add(each.transactionalId() + " " + each.state()));
                            ids.sort(null);
                            found.put("ids", ids);
                        }
                        case "log-dirs" -> found.put("brokers", admin.describeLogDirs(List.of(1)).allDescriptions().get().size());
                        case "features" -> found.put("levels", admin.describeFeatures().featureMetadata().get().finalizedFeatures().size());
                        case "quorum" -> found.put("leader", admin.describeMetadataQuorum().quorumInfo().get().leaderId());
                        case "users" -> found.put("names", new java.util.TreeSet<>(admin.describeUserScramCredentials().all().get().keySet()));
                        case "acls" -> put(found, "acls", admin.describeAcls(org.apache.kafka.common.acl.AclBindingFilter.ANY).values());
                        default -> throw new IllegalArgumentException(step.toString());
                    }
                } catch (Exception error) {
                    found.put("error", name(error));
                    if (found.get("error").equals(error.getClass().getSimpleName())) found.put("message", String.valueOf(error.getMessage()));
                }
            }
        }
    }
}
