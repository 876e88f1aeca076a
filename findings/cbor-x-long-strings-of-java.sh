#!/usr/bin/env bash
# Jackson's CBOR (jackson-dataformat-cbor 2.20.1) writes a long text in chunks, as RFC 8949 §3.2.3 has it ("indefinite-length"), and one of up to some
# 3900 octets in one piece. cbor-x 1.6.9 (Node) reads lists and maps of that kind, and no text: "Unexpected end of buffer reading string", as if
# octets were missing. So a service in Java is read until the first comment or stack trace that is long. npm cbor 10.0.12 and cbor2 6.3.0 for
# Python read both. Needs Java, Maven and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q cbor2==6.3.0
npm install --silent --no-audit --no-fund cbor-x@1.6.9 cbor@10.0.12 >/dev/null
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>com.fasterxml.jackson.dataformat</groupId><artifactId>jackson-dataformat-cbor</artifactId><version>2.20.1</version></dependency>
  </dependencies>
</project>
XML
mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib
cat >Write.java <<'JAVA'
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.cbor.CBORFactory;
import java.util.HexFormat;
import java.util.Map;

public class Write {
    public static void main(String[] arguments) throws Exception {
        var mapper = new ObjectMapper(new CBORFactory());
        for (String argument : arguments) {
            byte[] octets = mapper.writeValueAsBytes(Map.of("comment", "x".repeat(Integer.parseInt(argument))));
            System.out.println(HexFormat.of().formatHex(octets));
        }
    }
}
JAVA
javac -cp 'lib/*' Write.java
java -cp 'lib/*:.' Write 3000 5000 >written
cat >read.js <<'JS'
const readers = { "cbor-x": require("cbor-x").decode, cbor: require("cbor").decodeFirstSync };
for (const line of require("fs").readFileSync("written", "utf8").trim().split("\n"))
  for (const name in readers) {
    let told;
    try {
      told = readers[name](Buffer.from(line, "hex")).comment.length;
    } catch (error) {
      told = error.message;
    }
    console.log(`${name}: ${told}`);
  }
JS
venv/bin/python - <<'PY'
import subprocess
import cbor2

told = subprocess.run(["node", "read.js"], capture_output=True, text=True, check=True).stdout.splitlines()
for line, *by_node in zip(open("written"), told[::2], told[1::2], strict=True):
    size = len(cbor2.loads(bytes.fromhex(line))["comment"])
    print(f"{size} characters, {line[:26]}…: cbor2: {size}, {', '.join(by_node)}")
    if size == 3000:
        assert by_node == ["cbor-x: 3000", "cbor: 3000"]
    else:
        assert size == 5000 and by_node[1] == "cbor: 5000" and by_node[0] == "cbor-x: Unexpected end of buffer reading string"
PY
