import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import com.alibaba.com.caucho.hessian.io.SerializerFactory;
import java.io.*;
import java.util.*;

/**
 * hessian-lite in a warm JVM: reads the bodies of a file (size, octets) again and again.
 *
 * For each line on stdin, "head", "whole" or "throwable" and a number of rounds, it prints the nanoseconds of all of them, and what it
 * found in the last body. One Hessian2Input is used again for each body, as a pool would.
 */
public class HessianLoop {
    public static class Order implements Serializable { String id; long amount; double price; List<Object> tags; Map<Object, Object> notes; }

    public static void main(String[] args) throws Exception {
        List<byte[]> bodies = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(new FileInputStream(args[0]))) {
            while (in.available() > 0) { byte[] body = new byte[in.readInt()]; in.readFully(body); bodies.add(body); }
        }
        PrintStream out = System.out;
        System.setOut(System.err);
        Hessian2Input input = new Hessian2Input(null);
        input.setSerializerFactory(new SerializerFactory());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ");
            int what = words[0].equals("head") ? 0 : words[0].equals("whole") ? 1 : 2;
            int rounds = Integer.parseInt(words[1]);
            String found = "";
            long begun = System.nanoTime();
            for (int round = 0; round < rounds; round++) {
                for (byte[] body : bodies) {
                    input.resetBuffer();
                    input.init(new ByteArrayInputStream(body));
                    if (what == 2) {
                        int kind = input.readInt();
                        Throwable thrown = (Throwable) input.readObject();
                        Object attached = input.readObject();
                        if (round == rounds - 1) found = kind + " " + thrown.getClass().getName() + " " + thrown.getMessage() + " " + attached;
                        continue;
                    }
                    input.readString();
                    String service = input.readString(), version = input.readString(), method = input.readString();
                    if (what == 0) {
                        if (round == rounds - 1) found = service + " " + version + " " + method;
                        skipRest(input);
                        continue;
                    }
                    input.readString();
                    Object order = input.readObject();
                    Object count = input.readObject();
                    Map<?, ?> attached = (Map<?, ?>) input.readObject();
                    if (round == rounds - 1) found = service + " " + version + " " + method + " " + new TreeMap<Object, Object>(attached) + " " + count + " " + ((Order) order).tags;
                }
            }
            long taken = System.nanoTime() - begun;
            out.println(taken + " " + found);
        }
    }

    static final java.lang.reflect.Field LENGTH = field("_length"), OFFSET = field("_offset");

    static java.lang.reflect.Field field(String name) {
        try {
            java.lang.reflect.Field found = Hessian2Input.class.getDeclaredField(name);
            found.setAccessible(true);
            return found;
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Forget what was read ahead. */
    static void skipRest(Hessian2Input input) throws IllegalAccessException {
        OFFSET.setInt(input, 0);
        LENGTH.setInt(input, 0);
    }
}
