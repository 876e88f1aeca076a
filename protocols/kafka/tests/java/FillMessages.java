import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * Writes random instances of every message that the kafka-clients jar on the class path knows, as that jar serialises them.
 *
 * Usage: java -cp JARS FillMessages.java COUNT SEED > FILE
 *
 * An instance is: key(16) version(16) response(8) size(32) and the octets of the body, or of a member's subscription (key -1) or
 * assignment (key -2). What a version has and what can be null is read from the jar's own schemas, so nothing here knows the protocol.
 */
public final class FillMessages {
    private static final int DEEP = 3;
    private static Random random;
    private static Method readableRecords;

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[0]);
        random = new Random(Long.parseLong(arguments[1]));
        readableRecords = memoryRecords().getMethod("readableRecords", ByteBuffer.class);
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16))) {
            for (ApiMessageType api : ApiMessageType.values()) {
                if (Arrays.stream(api.requestSchemas()).allMatch(Objects::isNull)) continue; // its versions are gone
                fill(out, api.apiKey(), 0, api.newRequest().getClass(), api.requestSchemas(), count);
                fill(out, api.apiKey(), 1, api.newResponse().getClass(), api.responseSchemas(), count);
            }
            fillData(out, -1, "ConsumerProtocolSubscription", count);
            fillData(out, -2, "ConsumerProtocolAssignment", count);
        }
    }

    private static Class<?> memoryRecords() throws ClassNotFoundException {
        try {
            return Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
        } catch (ClassNotFoundException older) {
            return Class.forName("org.apache.kafka.common.record.MemoryRecords");
        }
    }

    private static void fillData(DataOutputStream out, int key, String name, int count) throws Exception {
        Class<?> type = Class.forName("org.apache.kafka.common.message." + name);
        fill(out, key, 0, type, (Schema[]) type.getField("SCHEMAS").get(null), count);
    }

    private static void fill(DataOutputStream out, int key, int response, Class<?> type, Schema[] schemas, int count)
            throws Exception {
        for (int version = 0; version < schemas.length; version++) {
            if (schemas[version] == null) continue;
            for (int each = 0; each < count; each++) {
                ByteBuffer buffer = null;
                while (buffer == null) buffer = serialised(type, (short) version);
                if (buffer.hasRemaining()) throw new IllegalStateException(type + " " + version);
                out.writeShort(key);
                out.writeShort(version);
                out.writeByte(response);
                out.writeInt(buffer.capacity());
                out.write(buffer.array());
            }
        }
    }

    /** A random instance; null if records are null where they must not be, which the schemas do not tell. */
    private static ByteBuffer serialised(Class<?> type, short version) throws Exception {
        Message message = (Message) instance(type, version, 0);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size;
        try {
            size = message.size(cache, version);
        } catch (NullPointerException noRecords) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.allocate(size);
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer;
    }

    /** An instance of a generated class, with every field of this version set. */
    private static Object instance(Class<?> type, int version, int depth) throws Exception {
        Schema schema = ((Schema[]) type.getField("SCHEMAS").get(null))[version];
        Message made = (Message) type.getConstructor().newInstance();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields) {
                for (Field field : tagged((TaggedFields) bound.def.type)) {
                    if (random.nextInt(3) > 0) set(made, field, version, depth);
                }
                if (random.nextInt(12) == 0) {
                    made.unknownTaggedFields().add(new RawTaggedField(100 + random.nextInt(100000), octets(random.nextInt(200))));
                }
            } else {
                set(made, bound.def, version, depth);
            }
        }
        return made;
    }

    /** What `TaggedFields.fields` says; older jars do not offer it. */
    @SuppressWarnings("unchecked")
    private static Collection<Field> tagged(TaggedFields type) throws Exception {
        java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
        fields.setAccessible(true);
        return ((Map<Integer, Field>) fields.get(type)).values();
    }

    private static void set(Object made, Field field, int version, int depth) throws Exception {
        String wanted = "set" + field.name.replace("_", "");
        for (Method method : made.getClass().getMethods()) {
            if (!method.getName().toLowerCase(Locale.ROOT).equals(wanted) || method.getParameterCount() != 1) continue;
            Object value = null;
            if (!field.type.isNullable() || random.nextInt(4) > 0) {
                value = value(method.getGenericParameterTypes()[0], field.type.toString(), version, depth);
            }
            method.invoke(made, value);
            return;
        }
        throw new IllegalStateException(made.getClass() + " has no " + wanted);
    }

    private static Object value(Type type, String wire, int version, int depth) throws Exception {
        if (type instanceof ParameterizedType) {
            Type element = ((ParameterizedType) type).getActualTypeArguments()[0];
            List<Object> items = new ArrayList<>();
            boolean small = element instanceof Class && !Message.class.isAssignableFrom((Class<?>) element);
            int size = small && random.nextInt(10) == 0 ? 130 + random.nextInt(40) : random.nextInt(depth < DEEP ? 4 : 2);
            for (int each = 0; each < size; each++) items.add(value(element, wire, version, depth + 1));
            return items;
        }
        Class<?> plain = (Class<?>) type;
        if (plain == boolean.class || plain == Boolean.class) return random.nextBoolean();
        if (plain == byte.class || plain == Byte.class) return (byte) number();
        if (plain == short.class || plain == Short.class) return (short) number();
        if (plain == int.class || plain == Integer.class) {
            return wire.toLowerCase(Locale.ROOT).contains("uint16") ? (int) number() & 0xFFFF : (int) number();
        }
        if (plain == long.class || plain == Long.class) return number();
        if (plain == double.class || plain == Double.class) return random.nextGaussian() * 1e6;
        if (plain == String.class) return text();
        if (plain == Uuid.class) return new Uuid(random.nextLong(), random.nextLong());
        if (plain == byte[].class) return octets(length());
        if (plain == ByteBuffer.class) return ByteBuffer.wrap(octets(length()));
        if (plain.getSimpleName().equals("BaseRecords")) return readableRecords.invoke(null, ByteBuffer.wrap(octets(length())));
        if (Collection.class.isAssignableFrom(plain)) {
            Class<?> element = (Class<?>) ((ParameterizedType) plain.getGenericSuperclass()).getActualTypeArguments()[0];
            @SuppressWarnings("unchecked")
            Collection<Object> items = (Collection<Object>) plain.getConstructor().newInstance();
            for (int left = random.nextInt(4); left > 0; left--) items.add(instance(element, version, depth + 1));
            return items;
        }
        return instance(plain, version, depth);
    }

    private static long number() {
        switch (random.nextInt(5)) {
            case 0:
                return -1;
            case 1:
                return 0;
            case 2:
                return random.nextInt(100);
            default:
                return random.nextLong();
        }
    }

    private static int length() {
        return random.nextInt(8) == 0 ? 120 + random.nextInt(20000) : random.nextInt(40);
    }

    private static byte[] octets(int size) {
        byte[] made = new byte[size];
        random.nextBytes(made);
        return made;
    }

    private static String text() {
        int size = random.nextInt(10) == 0 ? 100 + random.nextInt(300) : random.nextInt(12);
        StringBuilder made = new StringBuilder();
        for (int each = 0; each < size; each++) {
            made.appendCodePoint(random.nextInt(6) == 0 ? 0x400 + random.nextInt(0x300) : 'a' + random.nextInt(26));
        }
        return made.toString();
    }
}
