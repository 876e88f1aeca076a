#!/usr/bin/env bash
# Caucho's hessian 4.0.66 writes what List.of, Set.of, Map.of and Stream.toList make as an object of java.util.CollSer with one field, a number: the
# elements are not in it, and no error is raised. It asks the collection for its stand-in (writeReplace), whose elements are in a transient
# field. Its own reader ends with InvalidObjectException, at the peer, and what was to be said is nowhere on the wire. That holds where java.util
# is open to it, as up to Java 15 and by the option that Hessian needs since then. An ArrayList of the same is whole, and Dubbo's hessian-lite 4.0.4,
# which has a serializer for these, writes and reads them all. Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for artifact in com.caucho:hessian:4.0.66 org.apache.dubbo:hessian-lite:4.0.4; do
    mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$artifact" -DoutputDirectory="lib/${artifact%%:*}"
done
cat >Lists.java <<'JAVA'
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

public class Lists {
    static byte[] byCaucho(Object value) throws IOException {
        var octets = new ByteArrayOutputStream();
        var output = new com.caucho.hessian.io.Hessian2Output(octets);
        output.writeObject(value);
        output.flush();
        return octets.toByteArray();
    }

    static byte[] byDubbo(Object value) throws IOException {
        var octets = new ByteArrayOutputStream();
        var output = new com.alibaba.com.caucho.hessian.io.Hessian2Output(octets);
        output.writeObject(value);
        output.flush();
        return octets.toByteArray();
    }

    static Object readByCaucho(byte[] octets) {
        try {
            return new com.caucho.hessian.io.Hessian2Input(new ByteArrayInputStream(octets)).readObject();
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }

    static Object readByDubbo(byte[] octets) throws IOException {
        return new com.alibaba.com.caucho.hessian.io.Hessian2Input(new ByteArrayInputStream(octets)).readObject();
    }

    static boolean names(byte[] octets, String text) {
        return new String(octets, StandardCharsets.ISO_8859_1).contains(text);
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("new ArrayList", new ArrayList<>(List.of("one", "two")));
        values.put("List.of", List.of("one", "two"));
        values.put("toList", List.of("two", "one").stream().sorted().toList());
        values.put("Set.of", Set.of("one", "two"));
        values.put("Map.of", Map.of("one", "two"));
        boolean same = true;
        for (var entry : values.entrySet()) {
            byte[] octets = byCaucho(entry.getValue());
            System.out.println(entry.getKey() + ": caucho wrote " + octets.length + " octets, with \"one\": " + names(octets, "one")
                + ", CollSer: " + names(octets, "java.util.CollSer") + ", and reads " + readByCaucho(octets)
                + "; hessian-lite reads its own as " + readByDubbo(byDubbo(entry.getValue())));
            boolean plain = entry.getKey().equals("new ArrayList");
            same &= names(octets, "one") == plain && names(octets, "java.util.CollSer") == !plain;
            Object read = readByDubbo(byDubbo(entry.getValue()));
            same &= entry.getValue() instanceof List ? read.equals(entry.getValue()) : read.toString().contains("one");
            if (plain) {
                same &= readByCaucho(octets).equals(entry.getValue());
            } else {
                same &= !readByCaucho(octets).toString().contains("one");
            }
        }
        System.exit(same ? 0 : 1);
    }
}
JAVA
javac -cp 'lib/com.caucho/*:lib/org.apache.dubbo/*' Lists.java
java --add-opens java.base/java.util=ALL-UNNAMED -cp 'lib/com.caucho/*:lib/org.apache.dubbo/*:.' Lists
