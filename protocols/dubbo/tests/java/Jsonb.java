import com.alibaba.fastjson2.JSONB;
import com.alibaba.fastjson2.JSONReader;
import com.alibaba.fastjson2.JSONWriter;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.*;

/**
 * Maps and exceptions in JSONB as Dubbo has fastjson2 write and read them.
 *
 * java Jsonb write SEED COUNT: lines of octets and what they say; java Jsonb read: the same of the lines of octets on the standard input.
 */
public class Jsonb {
    static final JSONWriter.Feature[] WRITE = {
        JSONWriter.Feature.WriteClassName, JSONWriter.Feature.FieldBased, JSONWriter.Feature.ReferenceDetection,
        JSONWriter.Feature.WriteNulls, JSONWriter.Feature.NotWriteDefaultValue,
        JSONWriter.Feature.NotWriteHashMapArrayListClassName, JSONWriter.Feature.WriteNameAsSymbol};
    static final JSONReader.Feature[] READ = {
        JSONReader.Feature.UseDefaultConstructorAsPossible, JSONReader.Feature.UseNativeObject,
        JSONReader.Feature.IgnoreAutoTypeNotMatch, JSONReader.Feature.FieldBased, JSONReader.Feature.SupportAutoType};

    static class Refused extends RuntimeException {
        int code = 7;

        Refused(String message, Throwable cause) {
            super(message, cause);
        }
    }

    public static void main(String[] args) throws Exception {
        StringBuilder out = new StringBuilder();
        if (args[0].equals("write")) {
            Random random = new Random(Long.parseLong(args[1]));
            int count = Integer.parseInt(args[2]);
            for (int n = 0; n < count; n++) {
                Object value = n % 5 == 4 ? exception(random) : map(random, 3);
                out.append(hex(JSONB.toBytes(value, WRITE))).append(' ').append(told(value)).append('\n');
            }
        } else {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                Object value = JSONB.parseObject(octets(line), Object.class, READ);
                out.append(told(value)).append('\n');
            }
        }
        System.out.print(out);
    }

    static Map<String, Object> map(Random random, int depth) {
        Map<String, Object> made = new HashMap<>();
        int size = random.nextInt(8);
        for (int n = 0; n < size; n++) {
            made.put(text(random), value(random, depth));
        }
        return made;
    }

    static Object value(Random random, int depth) {
        switch (random.nextInt(depth > 0 ? 16 : 12)) {
            case 0: return null;
            case 1: return random.nextBoolean();
            case 2: return random.nextInt() >> random.nextInt(32);
            case 3: return random.nextLong() >> random.nextInt(64);
            case 4: return random.nextDouble();
            case 5: return (double) (random.nextInt() >> random.nextInt(32));
            case 6: return random.nextFloat();
            case 7: return new BigDecimal(new BigInteger(random.nextInt(90), random), random.nextInt(12) - 4);
            case 8: return new BigInteger(random.nextInt(100), random).negate();
            case 9: {
                byte[] octets = new byte[random.nextInt(60)];
                random.nextBytes(octets);
                return octets;
            }
            case 10:
            case 11: return text(random);
            case 12: {
                List<Object> made = new ArrayList<>();
                for (int n = random.nextInt(20); n > 0; n--) {
                    made.add(value(random, depth - 1));
                }
                return made;
            }
            case 13: return new Date(random.nextLong() >> 22);
            default: return map(random, depth - 1);
        }
    }

    static String text(Random random) {
        String[] alphabets = {"abcdefgh.-_", "abc\u00e9\u00df", "abc\u4e2d\u6587", "ab\ud83d\ude00"};
        String alphabet = alphabets[random.nextInt(4)];
        StringBuilder made = new StringBuilder();
        int size = random.nextInt(random.nextInt(10) == 0 ? 3000 : 60);
        while (made.length() < size) {
            int at = alphabet.offsetByCodePoints(0, random.nextInt(alphabet.codePointCount(0, alphabet.length())));
            made.appendCodePoint(alphabet.codePointAt(at));
        }
        return made.toString();
    }

    static Throwable exception(Random random) {
        Throwable cause = random.nextBoolean() ? null : exception(random);
        String message = random.nextInt(4) == 0 ? null : text(random);
        switch (random.nextInt(4)) {
            case 0: return new IllegalArgumentException(message, cause);
            case 1: return new java.util.concurrent.TimeoutException(message);
            case 2: return new Refused(message, cause);
            default: return new RuntimeException(message, cause);
        }
    }

    static String told(Object value) {
        if (value == null) return "null";
        if (value instanceof Boolean) return value.toString();
        if (value instanceof Integer || value instanceof Long || value instanceof BigInteger) return "n" + value;
        if (value instanceof Double || value instanceof Float) return "f" + Double.doubleToLongBits(((Number) value).doubleValue());
        if (value instanceof BigDecimal) return "d" + ((BigDecimal) value).unscaledValue() + "e" + ((BigDecimal) value).scale();
        if (value instanceof Date) return "t" + ((Date) value).getTime();
        if (value instanceof byte[]) return "x" + hex((byte[]) value);
        if (value instanceof String) return "s" + hex(((String) value).getBytes(StandardCharsets.UTF_8));
        StringBuilder made = new StringBuilder();
        if (value instanceof List) {
            for (Object item : (List<?>) value) made.append(made.length() == 0 ? "" : ",").append(told(item));
            return "[" + made + "]";
        }
        if (value instanceof Map) {
            TreeMap<String, String> sorted = new TreeMap<>();
            for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) sorted.put(told(each.getKey()), told(each.getValue()));
            for (Map.Entry<String, String> each : sorted.entrySet()) {
                made.append(made.length() == 0 ? "" : ",").append(each.getKey()).append("=").append(each.getValue());
            }
            return "{" + made + "}";
        }
        if (value instanceof Throwable) return "!" + value.getClass().getName() + ":" + told(((Throwable) value).getMessage());
        return "?" + value.getClass().getName();
    }

    static String hex(byte[] octets) {
        StringBuilder made = new StringBuilder();
        for (byte each : octets) made.append(String.format("%02x", each));
        return made.toString();
    }

    static byte[] octets(String hex) {
        byte[] made = new byte[hex.length() / 2];
        for (int n = 0; n < made.length; n++) made[n] = (byte) Integer.parseInt(hex.substring(2 * n, 2 * n + 2), 16);
        return made;
    }
}
