import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.dubbo.rpc.RpcContext;

/** Attachments, as Dubbo 3 knows them. */
final class Context {
    private Context() {}

    static void attach(String key, Object value) {
        RpcContext.getClientAttachment().setObjectAttachment(key, value);
    }

    static Map<String, Object> seen() {
        return RpcContext.getServerAttachment().getObjectAttachments();
    }

    static void answer(String key, Object value) {
        RpcContext.getServerResponseContext().setObjectAttachment(key, value);
    }

    static void check(org.apache.dubbo.config.ApplicationConfig application, String status) {
        application.setSerializeCheckStatus(status);
    }

    /** What a call with async=true will come to. */
    static CompletableFuture<Object> future() {
        return RpcContext.getServiceContext().getCompletableFuture();
    }
}
