// A server and a client of connect-es, over HTTP/2 without TLS: `node peer.mjs server PORT`, `node peer.mjs client PORT connect|grpc-web CALL`.
import http2 from "node:http2";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StringValueSchema, file_google_protobuf_wrappers } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Http2SessionManager, connectNodeAdapter, createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

const type = ".google.protobuf.StringValue";
const file = create(FileDescriptorProtoSchema, {
  name: "greeter.proto", package: "pack", syntax: "proto3", dependency: ["google/protobuf/wrappers.proto"],
  service: [{ name: "Greeter", method: [
    { name: "Greet", inputType: type, outputType: type, options: { idempotencyLevel: 1 } },
    { name: "Many", inputType: type, outputType: type, serverStreaming: true },
    { name: "None", inputType: type, outputType: type },
  ] }],
});
const registry = createFileRegistry(file, (name) => name === file_google_protobuf_wrappers.proto.name ? file_google_protobuf_wrappers : undefined);
const Greeter = registry.getService("pack.Greeter");
const text = (value) => create(StringValueSchema, { value });

function routes(router) {
  router.service(Greeter, {
    greet(asked, context) {
      if (asked.value === "") throw new ConnectError("nobody to greet", Code.FailedPrecondition, { "x-reason": "empty" });
      context.responseTrailer.set("x-sum", "42");
      return text(`hello ${asked.value}`);
    },
    async *many(asked, context) {
      for (let i = 0; i < 3; i++) yield text(`hello ${asked.value}`);
      context.responseTrailer.set("x-sum", "42");
      if (asked.value === "") throw new ConnectError("no more greetings", Code.ResourceExhausted);
    },
  });
}

const [side, port, protocol, name] = process.argv.slice(2);
if (side === "server") {
  http2.createServer(connectNodeAdapter({ routes })).listen(Number(port), "127.0.0.1");
} else {
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const options = { baseUrl, httpVersion: "2", sessionManager, defaultTimeoutMs: 5000, useHttpGet: name === "get" };
  const client = createClient(Greeter, protocol === "connect" ? createConnectTransport(options) : createGrpcWebTransport(options));
  try {
    if (name.startsWith("stream")) {
      for await (const answer of client.many(text(name === "stream" ? "world" : ""))) console.log(answer.value);
    } else if (name === "none") {
      console.log(await client.none(text("world")));
    } else {
      console.log((await client.greet(text(name === "error" ? "" : "world"))).value);
    }
  } catch (error) {
    console.log(String(error));
  }
  sessionManager.abort();
}
