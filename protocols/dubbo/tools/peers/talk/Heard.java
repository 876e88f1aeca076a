import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.apache.dubbo.common.constants.CommonConstants;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/** What Dubbo itself has at the ends of the wire: each invocation with its attachments, and those of its result. */
@Activate(group = {CommonConstants.PROVIDER, CommonConstants.CONSUMER}, order = Integer.MIN_VALUE)
public final class Heard implements Filter {
    /** Of more calls than these nothing is kept until somebody has asked: a load would fill the memory. */
    static final int LIMIT = 1000;
    static final List<JsonObject> SENT = new ArrayList<>();
    static final List<JsonObject> SERVED = new ArrayList<>();

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        boolean serves = invoker.getUrl().getParameter(CommonConstants.SIDE_KEY, "").equals(CommonConstants.PROVIDER_SIDE);
        List<JsonObject> log = serves ? SERVED : SENT;
        if (isFull(log)) {
            return invoker.invoke(invocation);
        }
        JsonObject found = new JsonObject();
        found.addProperty("interface", invoker.getUrl().getServiceInterface());
        found.addProperty("method", invocation.getMethodName());
        JsonArray types = new JsonArray();
        for (Class<?> each : invocation.getParameterTypes()) {
            types.add(each.getTypeName());
        }
        found.add("types", types);
        if (serves) { // before others change it
            found.add("attachments", Describe.attachments(new HashMap<>(invocation.getObjectAttachments())));
        }
        synchronized (log) {
            log.add(found);
        }
        Result result;
        try {
            result = invoker.invoke(invocation);
        } catch (RuntimeException error) {
            synchronized (log) {
                found.add("error", Describe.failure(error));
            }
            throw error;
        } finally {
            if (!serves) { // the invoker has added some
                found.add("attachments", Describe.attachments(new HashMap<>(invocation.getObjectAttachments())));
            }
        }
        return result.whenCompleteWithContext((value, error) -> {
            synchronized (log) {
                if (value != null) {
                    found.add("answered", Describe.attachments(new HashMap<>(value.getObjectAttachments())));
                    if (value.hasException()) {
                        found.add("failure", Describe.failure(value.getException()));
                    }
                }
                if (error != null) {
                    found.add("error", Describe.failure(error));
                }
            }
        });
    }

    static boolean isFull(List<JsonObject> log) {
        synchronized (log) {
            return log.size() >= LIMIT;
        }
    }

    /** Wait until of each call it is known what came of it. */
    static void settle(List<JsonObject> log) throws InterruptedException {
        for (int turn = 0; turn < 200; turn++) {
            synchronized (log) {
                if (log.stream().allMatch(each -> each.has("answered") || each.has("error"))) {
                    return;
                }
            }
            Thread.sleep(10);
        }
    }
}
