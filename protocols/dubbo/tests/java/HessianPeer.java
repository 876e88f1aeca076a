import java.io.*;
import java.lang.reflect.*;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.*;

/**
 * A Hessian 2 library of Java, of whichever package, on values of a seed and on octets from outside.
 *
 *   write PACKAGE SEED COUNT   a line for each stream: its octets in hex, a tab, and what its values are
 *   read PACKAGE               for each line of hex: what the library reads, or "! " and an error
 *   same PACKAGE               for each line of hex: the octets of what the library reads, written again
 *
 * What a value is: a line of JSON, a list of tokens in the order of the stream, containers with the number of their items; one that was
 * told before as its number. Entries of maps are in the order of their keys' tokens, fields in that of their names.
 */
public class HessianPeer {
    enum Color { RED, GREEN { @Override public String toString() { return "g"; } }, BLUE }

    static class Point implements Serializable { int x; long y; double z; boolean on; short s; byte b; float f; char c = 'c'; }

    static class Named implements Serializable { String name; Object any; Date when; byte[] data; }

    static class Node extends Named {
        List<Object> list; Map<Object, Object> map; Named next; Color color; BigDecimal amount; Integer boxed; Long large; int[] ints; String[] texts;
    }

    static class Twice extends Named { int own; }

    static class Wrong extends Exception {
        int code;
        Wrong(String message, int code) { super(message); this.code = code; }
    }

    static Class<?> output, input;
    static String prefix;

    public static void main(String[] args) throws Exception {
        prefix = args[1];
        output = Class.forName(prefix + ".Hessian2Output");
        input = Class.forName(prefix + ".Hessian2Input");
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "US-ASCII");
        PrintStream said = System.out;
        System.setOut(System.err);
        if (args[0].equals("write")) {
            for (int i = 0; i < Integer.parseInt(args[3]); i++) {
                Maker maker = new Maker(Long.parseLong(args[2]) * 1000003 + i);
                List<Object> values = maker.stream();
                String told = new Teller().tell(values);
                out.println(hex(write(values)) + "\t" + told);
            }
        } else {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = lines.readLine()) != null; ) {
                try {
                    List<Object> values = read(unhex(line));
                    out.println(args[0].equals("read") ? new Teller().tell(values) : hex(write(values)));
                } catch (Throwable error) {
                    while (error.getCause() != null && error instanceof InvocationTargetException) error = error.getCause();
                    out.println("! " + error.toString().replace('\n', ' ').replaceAll("[^\\x20-\\x7e]", "?"));
                }
                if (!lines.ready()) out.flush(); // somebody waits for it
            }
        }
        out.flush();
    }

    static byte[] write(List<Object> values) throws Exception {
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        Object to = output.getConstructor(OutputStream.class).newInstance(octets);
        Method method = output.getMethod("writeObject", Object.class);
        for (Object value : values) method.invoke(to, value);
        output.getMethod("flush").invoke(to);
        return octets.toByteArray();
    }

    static List<Object> read(byte[] octets) throws Exception {
        CountingStream stream = new CountingStream(octets);
        Object from = input.getConstructor(InputStream.class).newInstance(stream);
        Method method = input.getMethod("readObject");
        List<Object> values = new ArrayList<>();
        Method end = input.getMethod("isEnd");
        try {
            while (!isAtEnd(from, stream)) values.add(method.invoke(from));
        } catch (InvocationTargetException error) {
            if (error.getCause() instanceof Error) throw (Error) error.getCause();
            throw (Exception) error.getCause();
        }
        return values;
    }

    static boolean isAtEnd(Object from, CountingStream stream) throws Exception {
        for (String[] names : new String[][] {{"_offset", "_length"}, {"offset", "length"}}) {
            try {
                Field offset = input.getDeclaredField(names[0]), length = input.getDeclaredField(names[1]);
                offset.setAccessible(true);
                length.setAccessible(true);
                return offset.getInt(from) >= length.getInt(from) && stream.available() == 0;
            } catch (NoSuchFieldException error) {
                // the next names
            }
        }
        throw new IllegalStateException("no offset in " + input);
    }

    static class CountingStream extends ByteArrayInputStream {
        CountingStream(byte[] octets) { super(octets); }
    }

    static String hex(byte[] octets) {
        StringBuilder text = new StringBuilder();
        for (byte octet : octets) text.append(Character.forDigit((octet >> 4) & 15, 16)).append(Character.forDigit(octet & 15, 16));
        return text.toString();
    }

    static byte[] unhex(String text) {
        byte[] octets = new byte[text.length() / 2];
        for (int i = 0; i < octets.length; i++) octets[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        return octets;
    }

    /** Random values. */
    static class Maker {
        final Random chance;
        final List<Object> made = new ArrayList<>();
        final boolean plain = prefix.startsWith("com.caucho");

        Maker(long seed) { chance = new Random(seed); }

        List<Object> stream() {
            List<Object> values = new ArrayList<>();
            int count = 1 + chance.nextInt(6);
            for (int i = 0; i < count; i++) values.add(value(4));
            return values;
        }

        Object value(int depth) {
            if (depth > 0 && chance.nextInt(3) == 0) return container(depth - 1);
            if (!made.isEmpty() && chance.nextInt(8) == 0) return made.get(chance.nextInt(made.size()));
            return scalar();
        }

        Object scalar() {
            switch (chance.nextInt(11)) {
                case 0: return null;
                case 1: return chance.nextBoolean();
                case 2: return (int) number();
                case 3: return number();
                case 4: return real();
                case 5: return text();
                case 6: return new Date(chance.nextInt(3) == 0 ? 60000L * chance.nextInt() : chance.nextLong() % 200000000000000L);
                case 7: byte[] data = new byte[chance.nextInt(20) == 0 ? 1000 + chance.nextInt(20000) : chance.nextInt(20)]; chance.nextBytes(data); return data;
                case 8: return Color.values()[chance.nextInt(3)];
                case 9: return new BigDecimal(chance.nextInt() + "." + chance.nextInt(1000));
                default: return text();
            }
        }

        long number() { return chance.nextLong() >> chance.nextInt(64); }

        double real() {
            switch (chance.nextInt(6)) {
                case 0: return chance.nextInt(300) - 150;
                case 1: return (int) number();
                case 2: return (chance.nextInt(2000000) - 1000000) / 1000.0;
                case 3: return chance.nextGaussian() * 1e200;
                case 4: return new double[] {Double.NaN, Double.POSITIVE_INFINITY, -0.0, 12.25, 2147483.647, 0.5, 32768.0}[chance.nextInt(7)];
                default: return chance.nextDouble();
            }
        }

        String text() {
            int[] sizes = {0, 1, 5, 31, 32, 33, 100, 1023, 1024};
            int size = chance.nextInt(60) == 0 ? 32760 + chance.nextInt(9000) : sizes[chance.nextInt(chance.nextInt(4) == 0 ? 9 : 6)];
            String alphabet = new String[] {"abc", "a\u00e9\u20ac", "a\ud83d\ude00\ud834\udd1e", "\0\u007f\u0080\u07ff\u0800"}[chance.nextInt(4)];
            StringBuilder text = new StringBuilder();
            while (text.length() < size) {
                int at = alphabet.offsetByCodePoints(0, chance.nextInt(alphabet.codePointCount(0, alphabet.length())));
                text.appendCodePoint(alphabet.codePointAt(at));
            }
            return text.toString();
        }

        Object container(int depth) {
            switch (chance.nextInt(plain ? 9 : 10)) {
                case 0: case 1: {
                    List<Object> list = new ArrayList<>();
                    made.add(list);
                    fill(list, depth);
                    return list;
                }
                case 2: {
                    Map<Object, Object> map = chance.nextBoolean() ? new HashMap<>() : new LinkedHashMap<>();
                    made.add(map);
                    fill(map, depth);
                    return map;
                }
                case 3: {
                    Object[] array = new Object[chance.nextInt(12)];
                    made.add(array);
                    for (int i = 0; i < array.length; i++) array[i] = value(depth);
                    return array;
                }
                case 4: {
                    int[] array = new int[chance.nextInt(12)];
                    made.add(array);
                    for (int i = 0; i < array.length; i++) array[i] = (int) number();
                    return array;
                }
                case 5: {
                    String[] array = new String[chance.nextInt(5)];
                    made.add(array);
                    for (int i = 0; i < array.length; i++) array[i] = chance.nextInt(5) == 0 ? null : text();
                    return array;
                }
                case 6: {
                    Point point = new Point();
                    made.add(point);
                    point.x = (int) number();
                    point.y = number();
                    point.z = real();
                    point.on = chance.nextBoolean();
                    point.s = (short) number();
                    point.b = (byte) number();
                    point.f = chance.nextInt(100) / 4f;
                    return point;
                }
                case 7: {
                    Twice twice = new Twice();
                    made.add(twice);
                    named(twice, depth);
                    twice.own = (int) number();
                    return twice;
                }
                case 8: {
                    Node node = new Node();
                    made.add(node);
                    named(node, depth);
                    if (chance.nextBoolean()) { made.add(node.list = new ArrayList<>()); fill(node.list, depth); }
                    if (chance.nextBoolean()) { made.add(node.map = new HashMap<>()); fill(node.map, depth); }
                    if (chance.nextInt(3) == 0) node.next = node;
                    if (chance.nextBoolean()) node.color = Color.values()[chance.nextInt(3)];
                    if (chance.nextBoolean()) node.amount = new BigDecimal("123.450");
                    if (chance.nextBoolean()) node.boxed = (int) number();
                    if (chance.nextBoolean()) node.large = number();
                    if (chance.nextBoolean()) node.ints = new int[] {1, 2, (int) number()};
                    if (chance.nextBoolean()) node.texts = new String[] {text(), null};
                    return node;
                }
                default: return new Wrong(text(), (int) number());
            }
        }

        void named(Named named, int depth) {
            named.name = text();
            named.any = value(depth);
            if (chance.nextBoolean()) named.when = new Date(number() % 100000000000000L);
            if (chance.nextBoolean()) named.data = new byte[] {1, 2, 3};
        }

        void fill(List<Object> list, int depth) {
            int count = chance.nextInt(12);
            for (int i = 0; i < count; i++) list.add(value(depth));
        }

        void fill(Map<Object, Object> map, int depth) {
            int count = chance.nextInt(6);
            for (int i = 0; i < count; i++) {
                Object key = chance.nextInt(4) == 0 ? (Object) (int) number() : chance.nextInt(4) == 0 ? (Object) number() : text();
                map.put(key, value(depth));
            }
        }
    }

    /** Tells what values are. */
    static class Teller {
        final StringBuilder out = new StringBuilder("[");
        final IdentityHashMap<Object, Integer> numbers = new IdentityHashMap<>();

        String tell(List<Object> values) throws Exception {
            for (Object value : values) value(value);
            return out.append("]").toString();
        }

        void token(Object... parts) {
            if (out.length() > 1) out.append(",");
            out.append("[");
            for (int i = 0; i < parts.length; i++) {
                if (i > 0) out.append(",");
                if (parts[i] instanceof String) quote((String) parts[i]);
                else out.append(parts[i]);
            }
            out.append("]");
        }

        void quote(String text) {
            out.append('"');
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') out.append(String.format("\\u%04x", (int) c));
                else out.append(c);
            }
            out.append('"');
        }

        void value(Object value) throws Exception {
            if (value == null) token("null");
            else if (value instanceof Boolean) token("bool", value);
            else if (value instanceof Integer || value instanceof Short || value instanceof Byte) token("int", ((Number) value).intValue());
            else if (value instanceof Long) token("long", value);
            else if (value instanceof Float) token("double", hex((Float) value));
            else if (value instanceof Double) token("double", hex((Double) value));
            else if (value instanceof Character || value instanceof String) token("str", value.toString());
            else if (value instanceof byte[]) token("bytes", HessianPeer.hex((byte[]) value));
            else if (value instanceof Date) token("date", ((Date) value).getTime());
            else if (value instanceof Enum) token("enum", ((Enum<?>) value).getDeclaringClass().getName(), ((Enum<?>) value).name());
            else if (value instanceof BigDecimal) token("decimal", value.toString());
            else if (numbers.containsKey(value)) token("reference", numbers.get(value));
            else container(value);
        }

        static String hex(double value) {
            return String.format("%016x", Double.doubleToLongBits(value + 0.0));
        }

        void container(Object value) throws Exception {
            numbers.put(value, numbers.size());
            if (value instanceof List) {
                token("list", "", ((List<?>) value).size());
                for (Object item : (List<?>) value) value(item);
            } else if (value instanceof Map) {
                TreeMap<String, Object[]> sorted = new TreeMap<>();
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    Object key = entry.getKey();
                    String kind = key == null ? "null" : key instanceof String ? "str" : key instanceof Integer ? "int" : key instanceof Long ? "long" : "other";
                    sorted.put(kind + " " + key, new Object[] {key, entry.getValue()});
                }
                token("map", sorted.size());
                for (Object[] pair : sorted.values()) { value(pair[0]); value(pair[1]); }
            } else if (value.getClass().isArray()) {
                String kind = value instanceof int[] ? "[int" : value instanceof String[] ? "[string" : value instanceof Object[] ? "[object" : "?";
                token("list", kind, Array.getLength(value));
                for (int i = 0; i < Array.getLength(value); i++) value(Array.get(value, i));
            } else if (value instanceof Throwable) {
                token("throwable", value.getClass().getName(), ((Throwable) value).getMessage(), ((Wrong) value).code);
            } else {
                TreeMap<String, Object> fields = new TreeMap<>();
                for (Class<?> from = value.getClass(); from != Object.class; from = from.getSuperclass()) {
                    for (Field field : from.getDeclaredFields()) {
                        if (Modifier.isStatic(field.getModifiers()) || field.isSynthetic()) continue;
                        field.setAccessible(true);
                        fields.put(field.getName(), field.get(value));
                    }
                }
                token("object", value.getClass().getName(), fields.size());
                for (Map.Entry<String, Object> field : fields.entrySet()) { token("field", field.getKey()); value(field.getValue()); }
            }
        }
    }
}
