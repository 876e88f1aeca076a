// The clients for Node, for peers.py: kafkajs, and that of platformatic.mjs. Reads a line of JSON for each thing to do, and prints one of JSON for what came of it.
import { createInterface } from "node:readline";
import kafkajs from "kafkajs";

const { CompressionTypes, Kafka, KafkaJSNumberOfRetriesExceeded, logLevel, Partitioners } = kafkajs;

const described = (partition, each) => ({
  partition,
  offset: Number(each.offset),
  key: each.key === null ? null : each.key.toString(),
  value: each.value === null ? null : each.value.toString(),
  ...(Object.keys(each.headers ?? {}).length
    ? { headers: Object.fromEntries(Object.entries(each.headers).map(([name, value]) => [name, value.toString()])) }
    : {}),
});

function open(ask) {
  const { mechanism, user, password } = ask.options ?? {};
  const sasl = mechanism ? { mechanism: mechanism.toLowerCase(), username: user, password } : undefined;
  return new Kafka({ clientId: "talk", brokers: ask.to.split(","), sasl, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 5 } });
}

const name = (error) => (error instanceof KafkaJSNumberOfRetriesExceeded && error.cause ? error.cause : error).type ?? error.message;

async function send(sender, ask, records, options = {}) {
  const sent = [];
  for (const record of records) {
    // one by one: an answer tells the first offset of a batch only
    try {
      const [where] = (await sender.send({ topic: ask.topic, messages: [{ value: null, ...record }], ...options })) ?? [];
      sent.push([where?.partition ?? record.partition, Number(where?.baseOffset ?? -1)]);
    } catch (error) {
      sent.push(name(error));
    }
  }
  return sent;
}

const kafkajsJobs = {
  async produce(ask) {
    const producer = open(ask).producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const options = { compression: ask.options?.compression === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None };
    if (ask.options?.acks !== undefined) options.acks = Number(ask.options.acks);
    const sent = await send(producer, ask, ask.records, options);
    await producer.disconnect();
    return { sent };
  },

  async consume(ask) {
    const consumer = open(ask).consumer({ groupId: ask.group, maxWaitTimeInMs: 500, sessionTimeout: 6000, heartbeatInterval: 1000 });
    await consumer.connect();
    await consumer.subscribe({ topics: [ask.topic], fromBeginning: true });
    const records = [];
    const said = { records };
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => (said.member = payload.memberId));
    let done;
    const all = new Promise((resolve) => (done = resolve));
    const timer = setTimeout(() => done(), 20000);
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        records.push(described(partition, message));
        if (records.length >= ask.count) done();
      },
    });
    await all;
    clearTimeout(timer);
    const next = {};
    for (const each of records) next[each.partition] = Math.max(next[each.partition] ?? 0, each.offset + 1);
    await consumer.commitOffsets(
      Object.entries(next).map(([partition, offset]) => ({ topic: ask.topic, partition: Number(partition), offset: String(offset) })),
    );
    said.committed = next;
    await consumer.disconnect();
    return said;
  },

  async transact(ask) {
    const options = { transactionalId: ask.id, maxInFlightRequests: 1, idempotent: true };
    const producer = open(ask).producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options });
    await producer.connect();
    const rounds = [];
    for (const round of ask.rounds) {
      const transaction = await producer.transaction();
      rounds.push(await send(transaction, ask, round.records));
      await (round.commit ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    return { rounds };
  },

  async admin(ask) {
    const admin = open(ask).admin();
    await admin.connect();
    const steps = [];
    for (const [word, ...names] of ask.steps) {
      const found = {};
      steps.push(found);
      // One for each: where one of several fails, this client only throws.
      for (const each of names.length ? names : [""]) {
        const [topic, numPartitions, replicationFactor] = each.split(":");
        try {
          if (word === "create") {
            const made = await admin.createTopics({
              topics: [{ topic, numPartitions: Number(numPartitions), replicationFactor: Number(replicationFactor) }],
            });
            found[topic] = made ? "NONE" : "TOPIC_ALREADY_EXISTS";
          } else if (word === "delete") {
            await admin.deleteTopics({ topics: [topic], timeout: 500 });
            found[topic] = "NONE";
          } else if (word === "topics") {
            found.names = (await admin.listTopics()).sort();
          } else if (word === "groups") {
            found.names = (await admin.listGroups()).groups.map((group) => group.groupId).sort();
          }
        } catch (error) {
          found[topic] = error.errors?.length ? error.errors[0].type : name(error);
        }
      }
    }
    await admin.disconnect();
    return { steps };
  },
};

// platformatic asks for Node 22, and runs with 20 but for this.
Promise.withResolvers ??= function () {
  const found = {};
  found.promise = new Promise((resolve, reject) => Object.assign(found, { resolve, reject }));
  return found;
};
const client = process.argv[2] === "platformatic" ? await import("./platformatic.mjs") : { jobs: kafkajsJobs, name };

for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line);
  let said;
  try {
    said = await client.jobs[ask.do](ask);
  } catch (error) {
    said = { error: client.name(error) };
  }
  console.log(JSON.stringify(said));
}
process.exit(0);
