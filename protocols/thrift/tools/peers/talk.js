"use strict";
// Apache Thrift for node as client and server: see thrift_peers.py for what it is told. Its argument is the folder of generated code.
const path = require("path");
const readline = require("readline");
const thrift = require("thrift");
const generated = (name) => require(path.join(process.argv[2], name));
const types = generated("peers_types.js");
const [Shop, Stall, Bigger] = ["Shop.js", "Stall.js", "Bigger.js"].map(generated);

function OldBinary(transport) {
  thrift.TBinaryProtocol.call(this, transport, false, false);
}
OldBinary.prototype = Object.create(thrift.TBinaryProtocol.prototype);

const ENCODINGS = {
  binary: thrift.TBinaryProtocol,
  "old-binary": OldBinary,
  compact: thrift.TCompactProtocol,
  json: thrift.TJSONProtocol,
};
const TRANSPORTS = { framed: thrift.TFramedTransport, unframed: thrift.TBufferedTransport, http: thrift.TBufferedTransport };
const STRUCTS = { echo: types.Everything, grow: types.Tree, swap: types.Value };
const seen = [];

const hex = (text) => Buffer.from(text, "utf8").toString("hex");
const text = (octets) => Buffer.from(octets, "hex").toString("utf8");

function written(value) {
  let octets = null;
  const memory = new thrift.TBufferedTransport(undefined, (buffer) => (octets = buffer));
  const protocol = new thrift.TBinaryProtocol(memory);
  value[Symbol.for("write")](protocol);
  memory.flush();
  return octets.toString("hex");
}

function read(kind, octets) {
  let value = null;
  thrift.TBufferedTransport.receiver((memory) => {
    value = new kind();
    value[Symbol.for("read")](new thrift.TBinaryProtocol(memory));
  })(Buffer.from(octets, "hex"));
  return value;
}

function see(name, ...given) {
  seen.push(`${name}:${given.join(",")}`);
}

function grown(tree, levels) {
  for (let number = 0; number < levels; number++) tree = new types.Tree({ name: `level ${number}`, children: [tree] });
  return tree;
}

function raised(name) {
  if (name === "oops") return new types.Oops({ why: "it is gone", code: -7 });
  if (name === "denied") return new types.Denied({ reason: "nobody may", details: ["a", "b"] });
  return null;
}

const shop = {
  hello: (name, answer) => (see("Shop.hello", hex(name)), answer(null, `hello ${name}`)),
  nothing: (answer) => (see("Shop.nothing"), answer(null)),
  echo: (value, answer) => (see("Shop.echo", written(value)), answer(null, value)),
  grow: (tree, levels, answer) => (see("Shop.grow", written(tree), levels), answer(null, grown(tree, levels))),
  swap: (value, answer) => (see("Shop.swap", written(value)), answer(null, new types.Value({ values: [value] }))),
  find: (name, answer) => (see("Shop.find", hex(name)), answer(raised(name), new types.Item({ name, count: 3 }))),
  check: (name, answer) => (see("Shop.check", hex(name)), answer(raised(name))),
  fire: (what) => see("Shop.fire", hex(what)),
  add: (left, right, answer) => (see("Shop.add", left, right), answer(null, left + right)),
  missing: (answer) => (see("Shop.missing"), answer(null, null)),
  failing: (why, answer) => (see("Shop.failing", hex(why)), answer(new Error(why))),
};
const stall = {
  hello: (name, answer) => (see("Stall.hello", hex(name)), answer(null, `hello ${name}`)),
  count: (many, answer) => {
    see("Stall.count", many.map((each) => thrift.toBigInt(each)).join(";"));
    answer(null, thrift.fromBigInt(many.reduce((sum, each) => sum + thrift.toBigInt(each), 0n)));
  },
};

function serve(port, transport, encoding, multiplexed) {
  const options = { transport: TRANSPORTS[transport], protocol: ENCODINGS[encoding] };
  let server;
  if (transport === "http") {
    server = thrift.createWebServer({ services: { "/": { ...options, processor: Shop.Processor, handler: shop } } });
  } else if (multiplexed) {
    const processor = new thrift.MultiplexedProcessor();
    processor.registerProcessor("Shop", new Shop.Processor(shop));
    processor.registerProcessor("Stall", new Stall.Processor(stall));
    server = thrift.createMultiplexServer(processor, options);
  } else {
    server = thrift.createServer(Shop, shop, options);
  }
  server.on("error", (error) => console.error(error.stack));
  return new Promise((done) => server.listen(port, "127.0.0.1", () => done("serves")));
}

// One connection, and clients of services on it.
class Client {
  constructor(port, transport, encoding, multiplexed) {
    const options = { transport: TRANSPORTS[transport], protocol: ENCODINGS[encoding] };
    this.lost = new Promise((_, fail) => (this.fail = fail));
    this.lost.catch(() => {});
    if (transport === "http") {
      const agent = new (require("http").Agent)({ keepAlive: true });
      this.connection = thrift.createHttpConnection("127.0.0.1", port, { ...options, path: "/", nodeOptions: { agent } });
      this.close = () => agent.destroy();
      this.shop = thrift.createHttpClient(Bigger, this.connection);
    } else {
      this.connection = thrift.createConnection("127.0.0.1", port, { ...options, max_attempts: 1 });
      // The stream itself: the connection of the library would come back.
      this.connection.connection.on("close", () => this.fail(new Error("closed")));
      this.close = () => this.connection.end();
      const multiplexer = multiplexed && new thrift.Multiplexer();
      this.shop = multiplexed ? multiplexer.createClient("Shop", Bigger, this.connection) : thrift.createClient(Bigger, this.connection);
      this.stall = multiplexed && multiplexer.createClient("Stall", Stall, this.connection);
    }
    this.connection.on("error", (error) => this.fail(error));
  }

  async call(name, given) {
    const [service, method] = name.split(".");
    const client = service === "Shop" ? this.shop : this.stall;
    let values = given.map(text);
    if (method in STRUCTS) values = [read(STRUCTS[method], given[0]), ...given.slice(1).map(Number)];
    if (method === "add") values = given.map(Number);
    if (method === "count") values = [given[0].split(";").map((each) => thrift.fromBigInt(each))];
    if (method === "fire") {
      client.fire(...values);
      await new Promise((done) => setTimeout(done, 20));
      return "oneway";
    }
    const result = await Promise.race([
      new Promise((done, fail) => client[method](...values, (error, value) => (error ? fail(error) : done(value)))),
      this.lost,
    ]);
    if (method in STRUCTS || method === "find" || method === "missing") return `struct:${written(result)}`;
    if (method === "add") return `int:${result}`;
    if (method === "count") return `int:${thrift.toBigInt(result)}`;
    return result === undefined || result === null ? "void" : `text:${hex(result)}`;
  }
}

async function calls(port, transport, encoding, multiplexed, asked) {
  const said = [];
  let client = null;
  for (const each of asked) {
    const [name, given] = each.split(":");
    try {
      client = client || new Client(port, transport, encoding, multiplexed);
      said.push(await client.call(name, given ? given.split(",") : []));
    } catch (error) {
      if (error instanceof types.Oops) said.push(`Oops:${written(error)}`);
      else if (error instanceof types.Denied) said.push(`Denied:${written(error)}`);
      else if (error instanceof thrift.Thrift.TApplicationException) said.push(`application:${error.type || 0}:${hex(error.message || "")}`);
      else if (typeof error === "string") said.push(`application:5:${hex(error)}`);
      else {
        said.push(`lost:${hex(String(error))}`);
        client.close();
        client = null;
      }
    }
  }
  if (client) client.close();
  return said;
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, port, transport, encoding, multiplexed, , ...asked] = line.trim().split(" ");
    let answer;
    if (verb === "serve") answer = await serve(Number(port), transport, encoding, multiplexed === "1");
    else if (verb === "call") answer = (await calls(Number(port), transport, encoding, multiplexed === "1", asked)).join(" ");
    else answer = ["seen", ...seen.splice(0)].join(" ");
    process.stdout.write(`${answer}\n`);
  }
  process.exit(0);
})();
