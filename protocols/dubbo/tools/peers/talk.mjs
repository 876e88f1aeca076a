// A consumer of Dubbo, of apache-dubbo-js, which does what lines of JSON tell it, and says in lines of JSON what came of it.
// See dubbo_peers.py.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const load = createRequire(import.meta.url);
console.log = console.info = console.error; // what the library prints
const { DirectlyDubbo } = load("apache-dubbo-js");
const java = load("js-to-java");

function value(name) {
  const colon = name.indexOf(":");
  const [kind, rest] = colon < 0 ? [name, ""] : [name.slice(0, colon), name.slice(colon + 1)];
  switch (kind) {
    case "text":
      return java.String(rest);
    case "int":
      return java.int(Number(rest));
    case "line":
      return { $class: "java.lang.Object", $: { $class: "l7codecs.peers.Line", $: { product: "tea", count: 2, price: null } } };
    default:
      throw new Error(`no value is called ${name}`);
  }
}

async function call({ to, version, group, calls }) {
  const dubbo = DirectlyDubbo.from({ dubboAddress: `127.0.0.1:${to}`, dubboVersion: "2.0.2", dubboInvokeTimeout: 10 });
  const results = [];
  for (const { method, arguments: given = [], arguments: names = [] } of calls) {
    const methods = { [method]: () => given.map(value) };
    const service = dubbo.proxyService({ dubboInterface: "l7codecs.peers.Shop", version: version ?? "0.0.0", group, methods });
    const { err, res } = await service[method]();
    results.push(err ? { method, failure: String(err.message ?? err) } : { method, value: res ?? null });
  }
  return { results };
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await call(JSON.parse(line));
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
