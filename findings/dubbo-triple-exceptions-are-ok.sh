#!/usr/bin/env bash
# Dubbo 3.3.6, protocol tri ("compatible with gRPC"), an interface of plain Java: a call whose implementation throws is answered with grpc-status 0, OK,
# and the exception, with its whole stack trace, is the message; it says of itself that it is a java.lang.String. Only the field
# `tri-exception-code: 3` of the answer's head tells, which is Dubbo's own. So proxies, meshes and tracers that know gRPC count no failure and
# retry none, and grpcio 1.85.3 here gets OK and octets. A call of no known method is a failure for gRPC as well. Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q grpcio==1.85.3
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.dubbo</groupId><artifactId>dubbo</artifactId><version>3.3.6</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime
mkdir shop
cat >shop/Shop.java <<'JAVA'
package shop;

public interface Shop {
    String buy(String item);
}
JAVA
cat >Provider.java <<'JAVA'
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import shop.Shop;

public class Provider {
    public static void main(String[] arguments) throws Exception {
        var application = new ApplicationConfig("shop");
        application.setQosEnable(false);
        var service = new ServiceConfig<Shop>();
        service.setInterface(Shop.class);
        service.setRef(item -> {
            if (item.equals("none")) {
                throw new IllegalStateException("sold out");
            }
            return "one " + item;
        });
        var protocol = new ProtocolConfig("tri", Integer.parseInt(arguments[0]));
        DubboBootstrap.getInstance().application(application).registry(new RegistryConfig("N/A")).protocol(protocol).service(service).start();
        System.out.println("ready");
        Thread.currentThread().join();
    }
}
JAVA
javac -cp 'lib/*:.' shop/Shop.java Provider.java
venv/bin/python - <<'PY'
import socket, subprocess
import grpc

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
# It takes no loopback address to bind to, but the same one written as a number.
options = ["-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", f"-DDUBBO_IP_TO_BIND={0x7F000001}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]
command = ["java", *options, "-cp", "lib/*:.", "Provider", str(port)]
provider = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

def field(number, octets):
    return bytes([number << 3 | 2, len(octets)]) + octets

def call(method, item):
    """The code, the answer and what stood in its head: of a TripleRequestWrapper of one short text, in Hessian."""
    request = field(1, b"hessian4") + field(2, bytes([len(item)]) + item) + field(3, b"java.lang.String")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer, done = channel.unary_unary(f"/shop.Shop/{method}").with_call(request, timeout=30)
        except grpc.RpcError as error:
            return error.code().name, b"", dict(error.initial_metadata())
        return done.code().name, answer, dict(done.initial_metadata())

try:
    assert "ready\n" in provider.stdout
    found = {each: call(*each) for each in (("buy", b"book"), ("buy", b"none"), ("sell", b"book"))}
finally:
    provider.kill()
    provider.wait()
for (method, item), (code, answer, head) in found.items():
    print(f"{method}({item.decode()}): {code}, {answer[:70]!r}{'…' if len(answer) > 70 else ''}, head {head}")
code, answer, head = found["buy", b"book"]
assert code == "OK" and answer == field(1, b"hessian4") + field(2, b"\x08one book") + field(3, b"java.lang.String")
code, answer, head = found["buy", b"none"]
assert code == "OK" and b"java.lang.IllegalStateException" in answer and b"sold out" in answer and head == {"tri-exception-code": "3"}
assert answer.endswith(field(3, b"java.lang.String"))
assert found["sell", b"book"][0] == "UNKNOWN"
PY
