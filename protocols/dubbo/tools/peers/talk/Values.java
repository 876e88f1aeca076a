import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import l7codecs.peers.Child;
import l7codecs.peers.Colour;
import l7codecs.peers.Line;
import l7codecs.peers.Listener;
import l7codecs.peers.Order;

/** Values by their names: "text:hello", "int:5", "Date"… */
final class Values {
    static final Date CREATED = new Date(1700000040000L);

    private Values() {}

    static Object make(String name) {
        int colon = name.indexOf(':');
        String kind = colon < 0 ? name : name.substring(0, colon);
        String rest = colon < 0 ? "" : name.substring(colon + 1);
        switch (kind) {
            case "null": return null;
            case "listener": return (Listener) (what, number) -> rest + " heard " + what + " " + number;
            case "text": return rest;
            case "chars": return repeated("abcdefghij", Integer.parseInt(rest));
            case "emoji": return repeated("a\ud83d\ude00\u00e9\u20ac", Integer.parseInt(rest));
            case "int": return Integer.valueOf(rest);
            case "long": return Long.valueOf(rest);
            case "double": return Double.valueOf(rest);
            case "float": return Float.valueOf(rest);
            case "short": return Short.valueOf(rest);
            case "byte": return Byte.valueOf(rest);
            case "char": return rest.charAt(0);
            case "boolean": return Boolean.valueOf(rest);
            case "bytes": return octets(Integer.parseInt(rest));
            case "date": return new Date(Long.parseLong(rest));
            case "sqldate": return new java.sql.Date(CREATED.getTime());
            case "timestamp": return new java.sql.Timestamp(CREATED.getTime());
            case "localdate": return LocalDate.of(2024, 2, 29);
            case "localtime": return LocalTime.of(13, 14, 15, 16);
            case "localdatetime": return LocalDateTime.of(2024, 2, 29, 13, 14, 15, 16);
            case "instant": return Instant.ofEpochSecond(1700000040L, 5);
            case "duration": return Duration.ofSeconds(90, 7);
            case "zoned": return ZonedDateTime.of(2024, 2, 29, 13, 14, 15, 16, ZoneId.of("Europe/Berlin"));
            case "decimal": return new BigDecimal("123.450");
            case "integer": return new BigInteger("123456789012345678901234567890");
            case "enum": return Colour.RED;
            case "enumbody": return Colour.GREEN;
            case "enums": return new ArrayList<>(Arrays.asList(Colour.RED, Colour.GREEN, Colour.RED));
            case "ints": return new int[] {1, -1, 300, 70000};
            case "longs": return new long[] {1, -1, 300, 70000, 1L << 40};
            case "doubles": return new double[] {0, 1, -1, 12.25, 3.14159, 1e100};
            case "booleans": return new boolean[] {true, false};
            case "strings": return new String[] {"a", "", null};
            case "stringss": return new String[][] {{"a"}, {}};
            case "objects": return new Object[] {"a", 1, null, 2L};
            case "list": return new ArrayList<>(Arrays.asList("a", 1, 2L, 3.5, null, true));
            case "linked": return new LinkedList<>(Arrays.asList(1, 2));
            case "aslist": return Arrays.asList(1, 2);
            case "empty": return new ArrayList<>();
            case "emptylist": return Collections.emptyList();
            case "lists": return new ArrayList<>(Arrays.asList(new ArrayList<>(Arrays.asList(1, 2)), new ArrayList<>(Arrays.asList(3))));
            case "longlist": return numbers(Integer.parseInt(rest));
            case "set": return new HashSet<>(Arrays.asList("b"));
            case "map": return new HashMap<>(Collections.singletonMap("k", 1));
            case "intmap": return new HashMap<>(Collections.singletonMap(1, "one"));
            case "linkedmap": return new LinkedHashMap<>(Collections.singletonMap("k", 2L));
            case "treemap": return new TreeMap<>(Collections.singletonMap("k", 2L));
            case "enummap": {
                EnumMap<Colour, String> found = new EnumMap<>(Colour.class);
                found.put(Colour.RED, "r");
                return found;
            }
            case "enumset": return EnumSet.of(Colour.RED);
            case "emptymap": return new HashMap<>();
            case "uuid": return UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
            case "locale": return Locale.GERMANY;
            case "child": return new Child("mine", "parents", 1, 2);
            case "line": return new Line("tea", 2, new BigDecimal("1.50"));
            case "order": return order();
            case "ordermap": return ordermap();
            case "quantities": {
                Map<String, List<Long>> found = new LinkedHashMap<>();
                found.put("tea", new ArrayList<>(Arrays.asList(1L, 1L << 40)));
                found.put("", new ArrayList<>());
                return found;
            }
            case "cycle": {
                Order order = order();
                order.setParent(order);
                return order;
            }
            case "twice": {
                Line line = new Line("tea", 2, new BigDecimal("1.50"));
                return new ArrayList<>(Arrays.asList(line, line));
            }
            case "deep": {
                Order order = order();
                for (int number = 0; number < Integer.parseInt(rest); number++) {
                    Order next = new Order(number, "c", Colour.RED, CREATED, new ArrayList<>(), new HashMap<>());
                    next.setParent(order);
                    order = next;
                }
                return order;
            }
            case "selflist": {
                List<Object> list = new ArrayList<>();
                list.add(list);
                return list;
            }
            default: throw new IllegalArgumentException("no value is called " + name);
        }
    }

    private static Order order() {
        List<Line> lines = new ArrayList<>();
        lines.add(new Line("tea", 2, new BigDecimal("1.50")));
        lines.add(new Line("caf\u00e9 \ud83d\ude00", -1, new BigDecimal("-0.001")));
        Map<String, Object> notes = new HashMap<>();
        notes.put("gift", true);
        return new Order(1L << 33, "Ada", Colour.GREEN, CREATED, lines, notes);
    }

    /** An order as generic calls give it. */
    private static Map<String, Object> ordermap() {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("class", "l7codecs.peers.Line");
        line.put("product", "tea");
        line.put("count", 2);
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("class", "l7codecs.peers.Order");
        found.put("id", 5L);
        found.put("customer", "Ada");
        found.put("colour", "RED");
        found.put("lines", new ArrayList<>(Collections.singletonList(line)));
        return found;
    }

    private static String repeated(String text, int count) {
        StringBuilder found = new StringBuilder();
        while (found.length() < count) {
            found.append(text);
        }
        int end = count;
        if (Character.isLowSurrogate(found.charAt(Math.min(end, found.length() - 1))) && end < found.length()) {
            end++;
        }
        return found.substring(0, end);
    }

    private static byte[] octets(int count) {
        byte[] found = new byte[count];
        for (int number = 0; number < count; number++) {
            found[number] = (byte) (number * 31 + (number >> 8));
        }
        return found;
    }

    private static List<Integer> numbers(int count) {
        List<Integer> found = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            found.add(number * number);
        }
        return found;
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
