import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;

/**
 * Reads lines "head body", in hex: key (16 bits), version (16 bits), whether it is a response (8 bits); and the octets of a body. Writes
 * how many of these it is, and what is written of it again; or "!" and why it is none.
 */
public class KafkaBodies {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            ByteBuffer head = ByteBuffer.wrap(HexFormat.of().parseHex(words[0]));
            ByteBuffer body = ByteBuffer.wrap(HexFormat.of().parseHex(words.length > 1 ? words[1] : ""));
            String said;
            try {
                ApiMessageType type = ApiMessageType.fromApiKey(head.getShort());
                short version = head.getShort();
                if (version < type.lowestSupportedVersion() || version > type.highestSupportedVersion(true)) {
                    throw new IllegalArgumentException("no such version");
                }
                ApiMessage message = head.get() == 1 ? type.newResponse() : type.newRequest();
                message.read(new ByteBufferAccessor(body), version);
                int size = body.position();
                ByteBuffer again = MessageUtil.toByteBufferAccessor(message, version).buffer();
                byte[] octets = new byte[again.remaining()];
                again.get(octets);
                said = size + " " + HexFormat.of().formatHex(octets);
            } catch (Throwable refused) {
                said = ("! " + refused).replaceAll("[^\\x20-\\x7e]", "?");
            }
            System.out.println(said);
            System.out.flush();
        }
    }
}
