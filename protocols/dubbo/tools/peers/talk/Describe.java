import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import l7codecs.peers.Listener;

/**
 * Values as JSON, alike for what they are in every version of Dubbo: {"long": 5}, {"bytes": 300, "crc": …}, {"list": […]},
 * {"object": class, "fields": [[name, value]…]} with the fields of the parents first. What comes again is {"again": number} of a
 * list, map or object, counted from 0 in the order of this description.
 */
final class Describe {
    private static final int LONG = 200;
    private final IdentityHashMap<Object, Integer> seen = new IdentityHashMap<>();

    static JsonElement of(Object value) {
        return new Describe().value(value);
    }

    static JsonObject attachments(Map<String, Object> map) {
        JsonObject found = new JsonObject();
        for (Map.Entry<String, Object> each : map.entrySet()) {
            found.add(each.getKey(), of(each.getValue()));
        }
        return found;
    }

    static JsonObject failure(Throwable error) {
        JsonObject found = one("exception", error.getClass().getName());
        found.add("message", error.getMessage() == null ? JsonNull.INSTANCE : new JsonPrimitive(error.getMessage()));
        return found;
    }

    private JsonElement value(Object value) {
        if (value == null) {
            return JsonNull.INSTANCE;
        }
        if (value instanceof Boolean) {
            return new JsonPrimitive((Boolean) value);
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return new JsonPrimitive(((Number) value).intValue());
        }
        if (value instanceof Long) {
            return one("long", (Long) value);
        }
        if (value instanceof Double || value instanceof Float) {
            return one("double", value.toString());
        }
        if (value instanceof String || value instanceof Character) {
            return text(value.toString());
        }
        if (value instanceof byte[]) {
            return octets("bytes", (byte[]) value);
        }
        if (value.getClass() == Date.class) {
            return one("date", ((Date) value).getTime());
        }
        if (value instanceof Enum) {
            JsonObject found = one("enum", ((Enum<?>) value).getDeclaringClass().getName());
            found.addProperty("name", ((Enum<?>) value).name());
            return found;
        }
        if (value instanceof Throwable) {
            return failure((Throwable) value);
        }
        if (value instanceof Listener) {
            return one("other", "l7codecs.peers.Listener");
        }
        boolean own = value.getClass().getName().startsWith("l7codecs.");
        if (!own && !value.getClass().isArray() && !(value instanceof Collection) && !(value instanceof Map)) {
            return other(value);
        }
        Integer before = seen.putIfAbsent(value, seen.size());
        if (before != null) {
            return one("again", before);
        }
        if (value.getClass().isArray()) {
            List<Object> items = new ArrayList<>();
            for (int number = 0; number < Array.getLength(value); number++) {
                items.add(Array.get(value, number));
            }
            return list(items);
        }
        if (value instanceof Collection) {
            return list((Collection<?>) value);
        }
        if (value instanceof Map) {
            JsonArray pairs = new JsonArray();
            for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) {
                JsonArray pair = new JsonArray();
                pair.add(value(each.getKey()));
                pair.add(value(each.getValue()));
                pairs.add(pair);
            }
            JsonObject found = new JsonObject();
            found.add("map", pairs);
            return found;
        }
        return object(value);
    }

    private JsonObject list(Collection<?> items) {
        JsonArray several = new JsonArray();
        for (Object each : items) {
            several.add(value(each));
        }
        JsonObject found = new JsonObject();
        found.add("list", several);
        return found;
    }

    private JsonObject object(Object value) {
        List<Class<?>> classes = new ArrayList<>();
        for (Class<?> each = value.getClass(); each != Object.class; each = each.getSuperclass()) {
            classes.add(0, each);
        }
        JsonArray fields = new JsonArray();
        for (Class<?> each : classes) {
            for (Field field : each.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers())) {
                    JsonArray pair = new JsonArray();
                    pair.add(field.getName());
                    try {
                        field.setAccessible(true);
                        pair.add(value(field.get(value)));
                    } catch (ReflectiveOperationException error) {
                        throw new IllegalStateException(error);
                    }
                    fields.add(pair);
                }
            }
        }
        JsonObject found = one("object", value.getClass().getName());
        found.add("fields", fields);
        return found;
    }

    private static JsonObject other(Object value) {
        JsonObject found = one("other", value.getClass().getName());
        found.addProperty("text", value.toString());
        return found;
    }

    private static JsonElement text(String text) {
        return text.length() <= LONG ? new JsonPrimitive(text) : octets("text", Values.utf8(text));
    }

    private static JsonObject octets(String name, byte[] octets) {
        CRC32 crc = new CRC32();
        crc.update(octets);
        JsonObject found = one(name, octets.length);
        found.addProperty("crc", crc.getValue());
        return found;
    }

    private static JsonObject one(String name, Object value) {
        JsonObject found = new JsonObject();
        if (value instanceof Number) {
            found.addProperty(name, (Number) value);
        } else {
            found.addProperty(name, value.toString());
        }
        return found;
    }
}
