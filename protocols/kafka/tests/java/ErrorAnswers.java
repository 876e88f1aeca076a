import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;

/**
 * Reads lines "key version request", writes "key version request answer": how Kafka answers each with the error code given;
 * a dash where it does not read the request.
 */
public class ErrorAnswers {
    public static void main(String[] args) throws Exception {
        Exception error = Errors.forCode(Short.parseShort(args[0])).exception();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            ApiKeys key = ApiKeys.forId(Short.parseShort(words[0]));
            short version = Short.parseShort(words[1]);
            ByteBufferAccessor octets = new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(words[2])));
            AbstractResponse answer;
            try {
                answer = AbstractRequest.parseRequest(key, version, octets).request.getErrorResponse(0, error);
            } catch (RuntimeException refused) {
                System.out.println(line + " -");
                continue;
            }
            ByteBuffer body = MessageUtil.toByteBufferAccessor(answer.data(), version).buffer();
            byte[] found = new byte[body.remaining()];
            body.get(found);
            System.out.println(line + " " + HexFormat.of().formatHex(found));
        }
    }
}
