// @platformatic/kafka, for talk.mjs: what it does of each thing.
import { randomUUID } from "node:crypto";
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";

function common(ask) {
  const { mechanism, user, password } = ask.options ?? {};
  const sasl = mechanism ? { sasl: { mechanism, username: user, password } } : {};
  return { clientId: "talk", bootstrapBrokers: ask.to.split(","), retries: 5, retryDelay: 100, ...sasl };
}

// The word of the protocol, which stands in the error that is the cause of all around it.
export function name(error) {
  for (const each of error.errors ?? []) {
    const found = name(each);
    if (found) return found;
  }
  return error.apiId ?? error.message;
}

const open = (ask, more = {}) => new Producer({ ...common(ask), serializers: stringSerializers, ...more });

async function send(sender, ask, records, options = {}) {
  const sent = [];
  for (const { partition, key, value, headers } of records) {
    // one by one: an answer tells the first offset of a batch only
    try {
      const message = { topic: ask.topic, partition, headers: new Map(Object.entries(headers ?? {})) };
      if (key !== null && key !== undefined) message.key = key;
      if (value !== null && value !== undefined) message.value = value;
      const { offsets } = await sender.send({ messages: [message], ...options });
      sent.push([partition, Number(offsets?.[0]?.offset ?? -1)]);
    } catch (error) {
      sent.push(name(error));
    }
  }
  return sent;
}

const described = (each) => ({
  partition: each.partition,
  offset: Number(each.offset),
  key: each.key ?? null,
  value: each.value ?? null,
  ...(each.headers.size ? { headers: Object.fromEntries(each.headers) } : {}),
});

export const jobs = {
  async produce(ask) {
    const producer = open(ask);
    const options = { acks: Number(ask.options?.acks ?? -1), compression: ask.options?.compression ?? "none" };
    const sent = await send(producer, ask, ask.records, options);
    await producer.close();
    return { sent };
  },

  async consume(ask) {
    const consumer = new Consumer({
      ...common(ask),
      groupId: ask.group ?? randomUUID(), // it has no way to read without one
      deserializers: stringDeserializers,
      autocommit: false,
      maxWaitTime: 500,
      sessionTimeout: 6000,
      heartbeatInterval: 1000,
      ...(ask.options?.["group.protocol"] ? { groupProtocol: ask.options["group.protocol"] } : {}),
    });
    const stream = await consumer.consume({ topics: [ask.topic], mode: "earliest", autocommit: false });
    const records = [];
    const next = {};
    const timer = setTimeout(() => stream.close(), 20000);
    for await (const each of stream) {
      records.push(described(each));
      next[each.partition] = Number(each.offset) + 1;
      if (records.length >= ask.count) break;
    }
    clearTimeout(timer);
    await consumer.commit({
      offsets: Object.entries(next).map(([partition, offset]) => ({
        topic: ask.topic,
        partition: Number(partition),
        offset: BigInt(offset),
        leaderEpoch: -1,
      })),
    });
    const said = { records, committed: next, member: consumer.memberId };
    await consumer.close(true);
    return said;
  },

  async transact(ask) {
    const producer = open(ask, { transactionalId: ask.id, idempotent: true });
    const rounds = [];
    for (const round of ask.rounds) {
      const transaction = await producer.beginTransaction();
      rounds.push(await send(transaction, ask, round.records));
      await (round.commit ? transaction.commit() : transaction.abort());
    }
    await producer.close();
    return { rounds };
  },

  async admin(ask) {
    const admin = new Admin(common(ask));
    const steps = [];
    for (const [word, ...names] of ask.steps) {
      const found = {};
      steps.push(found);
      for (const each of names.length ? names : [""]) {
        const [topic, partitions, replicas] = each.split(":");
        try {
          if (word === "create") {
            await admin.createTopics({ topics: [topic], partitions: Number(partitions), replicas: Number(replicas) });
            found[topic] = "NONE";
          } else if (word === "delete") {
            await admin.deleteTopics({ topics: [topic] });
            found[topic] = "NONE";
          } else if (word === "topics") {
            found.names = (await admin.listTopics()).sort();
          } else if (word === "groups") {
            found.names = [...(await admin.listGroups()).keys()].sort();
          }
        } catch (error) {
          found[topic] = name(error);
        }
      }
    }
    await admin.close();
    return { steps };
  },
};
