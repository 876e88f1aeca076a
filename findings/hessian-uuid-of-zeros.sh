#!/usr/bin/env bash
# A UUID that Dubbo's hessian-lite 4.0.4 writes is read by Caucho's hessian 4.0.66 as 00000000-0000-0000-0000-000000000000: no error, no warning,
# for every UUID. Both speak Hessian 2. Dubbo's writes a field `value` with the text; Caucho's has mostSigBits and leastSigBits, does not know
# `value`, and passes over it. So a client with Caucho's library behind a Dubbo service files everything under one id. The other way fails
# at least ("Invalid UUID string"). Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for artifact in com.caucho:hessian:4.0.66 org.apache.dubbo:hessian-lite:4.0.4; do
    mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$artifact" -DoutputDirectory="lib/${artifact%%:*}"
done
cat >Ids.java <<'JAVA'
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.UUID;

public class Ids {
    static byte[] byDubbo(UUID id) throws IOException {
        var octets = new ByteArrayOutputStream();
        var output = new com.alibaba.com.caucho.hessian.io.Hessian2Output(octets);
        output.writeObject(id);
        output.flush();
        return octets.toByteArray();
    }

    static byte[] byCaucho(UUID id) throws IOException {
        var octets = new ByteArrayOutputStream();
        var output = new com.caucho.hessian.io.Hessian2Output(octets);
        output.writeObject(id);
        output.flush();
        return octets.toByteArray();
    }

    static Object readByDubbo(byte[] octets) throws IOException {
        try {
            return new com.alibaba.com.caucho.hessian.io.Hessian2Input(new ByteArrayInputStream(octets)).readObject();
        } catch (IllegalArgumentException error) {
            return error.getMessage();
        }
    }

    static Object readByCaucho(byte[] octets) throws IOException {
        return new com.caucho.hessian.io.Hessian2Input(new ByteArrayInputStream(octets)).readObject();
    }

    public static void main(String[] arguments) throws IOException {
        boolean same = true;
        for (String text : new String[] {"11223344-5566-7788-99aa-bbccddeeff00", "c0ffee00-0000-4000-8000-00000000beef"}) {
            UUID id = UUID.fromString(text);
            System.out.println("hessian-lite 4.0.4 wrote " + id + ", caucho 4.0.66 reads " + readByCaucho(byDubbo(id)));
            System.out.println("caucho 4.0.66 wrote " + id + ", hessian-lite 4.0.4 says " + readByDubbo(byCaucho(id)));
            same &= readByDubbo(byDubbo(id)).equals(id) && readByCaucho(byCaucho(id)).equals(id);
            same &= readByCaucho(byDubbo(id)).equals(new UUID(0, 0));
            same &= readByDubbo(byCaucho(id)).toString().startsWith("Invalid UUID string");
        }
        System.exit(same ? 0 : 1);
    }
}
JAVA
javac -cp 'lib/com.caucho/*:lib/org.apache.dubbo/*' Ids.java
java -cp 'lib/com.caucho/*:lib/org.apache.dubbo/*:.' Ids
