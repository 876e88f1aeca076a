#!/usr/bin/env bash
# Avro messages in single-object encoding name their schema by the CRC-64-AVRO of its Parsing Canonical Form, which has neither logical types nor
# other attributes: {"type": "int", "logicalType": "date"} is "int" (specification, [STRIP] and [PRIMITIVES]). So say Java's avro 1.12.1,
# fastavro 1.13.1 and avsc 5.7.9. Apache's own avro 1.12.2 for Python writes {"type":"int"}, and hamba/avro 2.31.0 for Go leaves
# logicalType and precision in. One schema of a date has three fingerprints, and a store filled by one of them has nothing for the others.
# Without a logical type all agree. Needs Go, Java, Maven and Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q avro==1.12.2 fastavro==1.13.1
npm install --silent --no-audit --no-fund avsc@5.7.9 >/dev/null
cat >avsc.js <<'JS'
const { Type } = require("avsc");
for (const line of require("fs").readFileSync("schemas", "utf8").split("\n")) console.log(JSON.stringify(Type.forSchema(JSON.parse(line)).schema()));
JS
cat >go.mod <<'MOD'
module canonical

go 1.25

require github.com/hamba/avro/v2 v2.31.0
MOD
cat >canonical.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hamba/avro/v2"
)

func main() {
	schemas, _ := os.ReadFile("schemas")
	for _, line := range strings.Split(string(schemas), "\n") {
		fmt.Println(avro.MustParse(line).String())
	}
}
GO
GOPATH="$folder/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o canonical canonical.go 2>/dev/null
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>1.12.1</version></dependency>
  </dependencies>
</project>
XML
mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib
cat >Canonical.java <<'JAVA'
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

public class Canonical {
    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of("schemas"))) {
            System.out.println(SchemaNormalization.toParsingForm(new Schema.Parser().parse(line)));
        }
    }
}
JAVA
javac -cp 'lib/*' Canonical.java
venv/bin/python - <<'PY'
import json, subprocess
import avro.schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

day = {"type": "int", "logicalType": "date"}
amount = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
schemas = [
    {"type": "record", "name": "shop.Sale", "fields": [{"name": "day", "type": field}]} for field in ("int", day, amount)
]
with open("schemas", "w") as file:
    file.write("\n".join(map(json.dumps, schemas)))

def told_by(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

found = {
    "Java": told_by("java", "-cp", "lib/*:.", "Canonical"),
    "fastavro": [to_parsing_canonical_form(schema) for schema in schemas],
    "avsc": told_by("node", "avsc.js"),
    "avro (Python)": [avro.schema.parse(json.dumps(schema)).canonical_form for schema in schemas],
    "hamba": told_by("./canonical"),
}
for number, schema in enumerate(schemas):
    print(json.dumps(schema))
    for name, forms in found.items():
        print(f"  {name:14}{fingerprint(forms[number], 'CRC-64-AVRO')} {forms[number]}")
    of_java, *others = [forms[number] for forms in found.values()]
    assert others[:2] == [of_java] * 2
    assert len({of_java, *others}) == (3 if "logicalType" in str(schema) else 1)
PY
