// Clients of Redis, of ioredis, which do what lines of JSON tell them, and say in lines of JSON what came of it. See redis_peers.py.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { Redis } = require("ioredis");
const { BasicClientSideCache, createClient } = require("redis");
const clients = new Map();

function make({ to, resp, database = 0 }) {
  const made = new Redis({
    host: "127.0.0.1", port: to, db: database, protocol: resp,
    retryStrategy: (times) => Math.min(times * 20, 200), maxRetriesPerRequest: 20,
  });
  made.on("error", () => {}); // each command says so as well
  return made;
}

function client(told) {
  const key = [told.to, told.resp, told.database].join(" ");
  if (!clients.has(key)) clients.set(key, make(told));
  return clients.get(key);
}

function plain(error, value) {
  if (error) return { error: error.message };
  if (Array.isArray(value)) return value.map((each) => (each instanceof Error ? plain(each) : plain(null, each)));
  if (value instanceof Map) value = Object.fromEntries(value);
  return value !== null && typeof value === "object" ? { map: value } : (value ?? null);
}

const settled = (promise) => promise.then((value) => plain(null, value), (error) => plain(error));
const pairs = (done) => done.map(([error, value]) => plain(error, value));

const does = {
  // One after another.
  async each(told) {
    const results = [];
    for (const [name, ...words] of told.commands) results.push(await settled(client(told).call(name, ...words)));
    return { results };
  },
  // All at once.
  async pipeline(told) {
    const pipe = client(told).pipeline();
    for (const [name, ...words] of told.commands) pipe.call(name, ...words);
    return { results: pairs(await pipe.exec()) };
  },
  // All in a transaction, of which `watched` are watched.
  async multi(told) {
    const own = make(told);
    try {
      if (told.watched.length) await own.watch(...told.watched);
      const pipe = own.multi();
      for (const [name, ...words] of told.commands) pipe.call(name, ...words);
      const done = await pipe.exec();
      return done === null ? { error: "nothing was done" } : { results: pairs(done) };
    } finally {
      own.disconnect();
    }
  },
  // Listens to channels while `sends` are published, and says what came.
  async subscribe(told) {
    const own = make(told);
    try {
      const came = [];
      const all = new Promise((resolve) =>
        own.on("message", (...message) => came.push(message) === told.sends.length && resolve()),
      );
      await own.subscribe(...told.channels);
      for (const [channel, text] of told.sends) await client(told).publish(channel, text);
      await Promise.race([all, new Promise((_, reject) => setTimeout(() => reject(new Error("nothing comes")), 10000))]);
      return { came };
    } finally {
      own.disconnect();
    }
  },
  // Reads each key three times through node-redis's cache, has another connection change it, and says what was read, how often of the cache,
  // and what is read once that is not what it was any more.
  async cache(told) {
    const clientSideCache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, recordStats: true });
    const caching = createClient({ url: `redis://127.0.0.1:${told.to}`, RESP: 3, clientSideCache });
    caching.on("error", () => {});
    await caching.connect();
    try {
      const results = [];
      for (const key of told.keys) {
        await client(told).set(key, "before");
        const before = clientSideCache.stats().hitCount;
        const texts = [await caching.get(key), await caching.get(key), await caching.get(key)];
        const hits = clientSideCache.stats().hitCount - before;
        await client(told).set(key, "after");
        let last = texts[0];
        for (let turn = 0; last === texts[0] && turn < 500; turn += 1) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          last = await caching.get(key);
        }
        results.push([texts, hits, last]);
      }
      return { results };
    } finally {
      caching.destroy();
    }
  },
  // A worker for each key writes and reads it so many times, values of `size` octets; counts what was not what it had written.
  async load(told) {
    const said = { right: 0, wrong: [], failed: [] };
    await Promise.all(
      told.keys.map(async (key) => {
        for (let turn = 0; turn < told.turns; turn += 1) {
          const value = `${key} ${turn}${"x".repeat(told.size)}`;
          try {
            await client(told).set(key, value);
            const found = await client(told).get(key);
            if (found === value) said.right += 1;
            else said.wrong.push(String(found).slice(0, 50));
          } catch (error) {
            said.failed.push(error.message);
          }
        }
      }),
    );
    return said;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  let said;
  try {
    said = await does[told.do](told);
  } catch (error) {
    said = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit();
