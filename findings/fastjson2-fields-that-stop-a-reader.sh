#!/usr/bin/env bash
# fastjson2 2.0.56, JSONB: a field that the reader's class does not have is passed over, but not where it holds a BigInteger, an Instant or a
# char: then the whole object fails ("name not support input"). As JSON text the same objects are read. So a Dubbo provider whose class
# gains such a field is not read by consumers of the older class. BigDecimal, UUID, Long and texts are passed over. Needs Java and Maven.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=com.alibaba.fastjson2:fastjson2:2.0.56 -DoutputDirectory=lib
cat >Fields.java <<'JAVA'
import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONB;
import com.alibaba.fastjson2.JSONException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

public class Fields {
    public static class Known {
        public String name;
    }

    static String read(Object more) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("more", more);
        map.put("name", "x");
        if (!"x".equals(JSON.parseObject(JSON.toJSONString(map), Known.class).name)) return "not read as text";
        try {
            return "x".equals(JSONB.parseObject(JSONB.toBytes(map), Known.class).name) ? "read" : "lost";
        } catch (JSONException error) {
            return error.getMessage();
        }
    }

    public static void main(String[] arguments) {
        Object[] passed = {1, 5_000_000_000L, "text", new BigDecimal("1.5"), new UUID(1, 2)};
        Object[] stops = {new BigInteger("123456789012345678901234567890"), Instant.ofEpochSecond(1), 'c'};
        boolean same = true;
        for (Object each : passed) same &= show(each).equals("read");
        for (Object each : stops) same &= show(each).startsWith("name not support input");
        System.exit(same ? 0 : 1);
    }

    static String show(Object value) {
        String found = read(value);
        System.out.println("fastjson2 2.0.56, an unknown field of " + value.getClass().getSimpleName() + ": " + found);
        return found;
    }
}
JAVA
javac -cp 'lib/*' Fields.java
java -cp 'lib/*:.' Fields
