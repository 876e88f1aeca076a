import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import l7codecs.peers.Shop;
import org.apache.dubbo.common.beanutil.JavaBeanDescriptor;
import org.apache.dubbo.common.beanutil.JavaBeanSerializeUtil;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.rpc.service.EchoService;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * Providers and consumers of Dubbo in one process, which does what lines of JSON tell it, and says in lines of JSON what came of it:
 *
 * {"do": "export", "port": …, "version": …, "group": …, "serialization": …, "parameters": {…}}
 * {"do": "seen"}                                  what the providers saw since the last time
 * {"do": "call", "to": port, "calls": [{"method": …, "arguments": ["text:x"…], "attachments": {…}}…], …}
 * {"do": "load", "to": port, "octets": 100, "calls": n, "threads": 50}
 * {"do": "release"}                               let go of what was called, with its connections
 */
public final class Talk {
    private static final Gson JSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final ExecutorService POOL = Executors.newCachedThreadPool();
    private static final List<JsonObject> LOG = new ArrayList<>();
    private static final Map<String, ReferenceConfig<?>> REFERENCES = new HashMap<>();
    /** 127.0.0.1, which Dubbo takes for an invalid address in any other form. */
    private static final String LOOPBACK = "2130706433";
    private static ApplicationConfig application;

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
        System.setOut(System.err); // what Dubbo prints
        application = new ApplicationConfig(arguments[0]);
        application.setQosEnable(false);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonObject said;
            try {
                said = answer(JsonParser.parseString(line).getAsJsonObject());
            } catch (Throwable error) {
                error.printStackTrace();
                said = new JsonObject();
                said.addProperty("error", error.toString());
            }
            out.println(JSON.toJson(said));
        }
        System.exit(0);
    }

    private static JsonObject answer(JsonObject asked) throws Exception {
        switch (asked.get("do").getAsString()) {
            case "export": return export(asked);
            case "seen": return seen();
            case "call": return call(asked);
            case "load": return load(asked);
            case "release": return release();
            default: throw new IllegalArgumentException(asked.toString());
        }
    }

    private static String word(JsonObject asked, String name, String otherwise) {
        return asked.has(name) && !asked.get(name).isJsonNull() ? asked.get(name).getAsString() : otherwise;
    }

    private static Map<String, String> words(JsonObject asked, String name) {
        Map<String, String> found = new HashMap<>();
        if (asked.has(name)) {
            asked.getAsJsonObject(name).entrySet().forEach(each -> found.put(each.getKey(), each.getValue().getAsString()));
        }
        return found;
    }

    private static JsonObject export(JsonObject asked) {
        Context.check(application, word(asked, "check", null));
        ProtocolConfig protocol = new ProtocolConfig("dubbo", asked.get("port").getAsInt());
        protocol.setId("dubbo-" + protocol.getPort());
        protocol.setHost(word(asked, "host", null));
        protocol.setSerialization(word(asked, "serialization", null));
        if (asked.has("payload")) {
            protocol.setPayload(asked.get("payload").getAsInt());
        }
        if (asked.has("heartbeat")) {
            protocol.setHeartbeat(asked.get("heartbeat").getAsInt());
        }
        ServiceConfig<Shop> service = new ServiceConfig<>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig("N/A"));
        service.setProtocol(protocol);
        service.setInterface(Shop.class);
        service.setRef(new Service(word(asked, "name", "shop"), LOG));
        service.setVersion(word(asked, "version", null));
        service.setGroup(word(asked, "group", null));
        service.setPath(word(asked, "path", null));
        service.setParameters(words(asked, "parameters"));
        service.export();
        JsonObject said = new JsonObject();
        said.addProperty("port", protocol.getPort());
        return said;
    }

    private static JsonObject seen() {
        JsonObject said = new JsonObject();
        said.add("calls", taken(LOG));
        said.add("heard", taken(Heard.SERVED));
        return said;
    }

    private static JsonArray taken(List<JsonObject> log) {
        JsonArray found = new JsonArray();
        synchronized (log) {
            log.forEach(found::add);
            log.clear();
        }
        return found;
    }

    private static ReferenceConfig<?> reference(JsonObject asked) {
        String generic = word(asked, "generic", "");
        Map<String, String> parameters = words(asked, "parameters");
        String path = word(asked, "path", word(asked, "interface", Shop.class.getName()));
        StringBuilder url = new StringBuilder("dubbo://" + LOOPBACK + ":" + asked.get("to").getAsInt() + "/" + path + "?timeout="
            + word(asked, "timeout", "20000"));
        parameters.forEach((key, value) -> url.append('&').append(key).append('=').append(value));
        String interface_ = word(asked, "interface", Shop.class.getName());
        String key = String.join(" ", url, generic, interface_, word(asked, "version", ""), word(asked, "group", ""));
        return REFERENCES.computeIfAbsent(key, unused -> {
            Context.check(application, word(asked, "check", null));
            ReferenceConfig<Object> found = new ReferenceConfig<>();
            found.setApplication(application);
            found.setInterface(interface_);
            found.setUrl(url.toString());
            found.setCheck(false);
            found.setRetries(0);
            found.setVersion(word(asked, "version", null));
            found.setGroup(word(asked, "group", null));
            if (!generic.isEmpty()) {
                found.setGeneric(generic);
            }
            return found;
        });
    }

    private static JsonObject call(JsonObject asked) throws Exception {
        ReferenceConfig<?> reference = reference(asked);
        Object stub = reference.get();
        boolean together = asked.has("together") && asked.get("together").getAsBoolean();
        List<Future<JsonObject>> waiting = new ArrayList<>();
        JsonArray results = new JsonArray();
        for (JsonElement each : asked.getAsJsonArray("calls")) {
            JsonObject one = each.getAsJsonObject();
            if (together) {
                waiting.add(POOL.submit(() -> once(stub, asked, one)));
                Thread.sleep(one.has("wait") ? one.get("wait").getAsInt() : 0);
            } else {
                results.add(once(stub, asked, one));
            }
        }
        for (Future<JsonObject> each : waiting) {
            results.add(each.get());
        }
        if (asked.has("idle")) {
            Thread.sleep(asked.get("idle").getAsInt());
        }
        JsonObject said = new JsonObject();
        said.add("results", results);
        Heard.settle(Heard.SENT);
        said.add("heard", taken(Heard.SENT));
        return said;
    }

    /** One call, and what came of it. */
    private static JsonObject once(Object stub, JsonObject asked, JsonObject call) throws Exception {
        String name = call.get("method").getAsString();
        List<Object> arguments = new ArrayList<>();
        if (call.has("arguments")) {
            call.getAsJsonArray("arguments").forEach(each -> arguments.add(Values.make(each.getAsString())));
        }
        JsonObject said = new JsonObject();
        JsonArray given = new JsonArray();
        arguments.forEach(each -> given.add(Describe.of(each)));
        said.addProperty("method", name);
        said.add("arguments", given);
        words(call, "attachments").forEach((key, value) -> Context.attach(key, Values.make(value)));
        try {
            Object value = invoke(stub, word(asked, "generic", ""), name, call, arguments.toArray());
            said.add("value", value instanceof JavaBeanDescriptor
                ? Describe.of(JavaBeanSerializeUtil.deserialize((JavaBeanDescriptor) value)) : Describe.of(value));
        } catch (InvocationTargetException error) {
            said.add("failure", Describe.failure(error.getCause()));
        } catch (Throwable error) {
            said.add("failure", Describe.failure(error));
        }
        return said;
    }

    private static Object invoke(Object stub, String generic, String name, JsonObject call, Object[] arguments) throws Exception {
        if (name.equals("$echo")) {
            return ((EchoService) stub).$echo(arguments[0]);
        }
        if (!generic.isEmpty()) {
            List<String> types = new ArrayList<>();
            call.getAsJsonArray("types").forEach(each -> types.add(each.getAsString()));
            if (generic.equals("bean")) {
                for (int number = 0; number < arguments.length; number++) {
                    arguments[number] = JavaBeanSerializeUtil.serialize(arguments[number]);
                }
            }
            GenericService service = (GenericService) stub;
            String[] names = types.toArray(new String[0]);
            if (call.has("async")) {
                return service.$invokeAsync(name, names, arguments).get();
            }
            return service.$invoke(name, names, arguments);
        }
        for (Method each : Shop.class.getMethods()) {
            if (each.getName().equals(name) && each.getParameterCount() == arguments.length) {
                Object value = each.invoke(stub, arguments);
                if (call.has("async")) {
                    return Context.future().get();
                }
                return value instanceof CompletableFuture ? ((CompletableFuture<?>) value).get() : value;
            }
        }
        throw new IllegalArgumentException("no method is called " + name);
    }

    /** Many calls, `threads` of them at a time: how many a second. */
    private static JsonObject load(JsonObject asked) throws Exception {
        Shop stub = (Shop) reference(asked).get();
        int threads = asked.get("threads").getAsInt();
        int count = asked.get("calls").getAsInt() / threads;
        byte[] octets = (byte[]) Values.make("bytes:" + asked.get("octets").getAsInt());
        List<Future<Integer>> waiting = new ArrayList<>();
        long start = System.nanoTime();
        for (int number = 0; number < threads; number++) {
            waiting.add(POOL.submit(() -> {
                int failed = 0;
                for (int turn = 0; turn < count; turn++) {
                    try {
                        failed += stub.binary(octets).length == octets.length ? 0 : 1;
                    } catch (RuntimeException error) {
                        failed++;
                    }
                }
                return failed;
            }));
        }
        int failed = 0;
        for (Future<Integer> each : waiting) {
            failed += each.get();
        }
        JsonObject said = new JsonObject();
        said.addProperty("calls", count * threads);
        said.addProperty("failed", failed);
        said.addProperty("seconds", (System.nanoTime() - start) / 1e9);
        return said;
    }

    private static JsonObject release() {
        REFERENCES.values().forEach(ReferenceConfig::destroy);
        REFERENCES.clear();
        return new JsonObject();
    }
}
