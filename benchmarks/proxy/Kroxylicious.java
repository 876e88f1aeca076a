import io.kroxylicious.proxy.KafkaProxy;
import io.kroxylicious.proxy.config.ConfigParser;
import io.kroxylicious.proxy.internal.config.Features;
import java.nio.file.Files;
import java.nio.file.Path;

/** Kroxylicious as a library, for kafka.py: its runtime has no main of its own. The argument is a configuration. */
class Kroxylicious {
    public static void main(String[] words) throws Exception {
        ConfigParser parser = new ConfigParser();
        var settings = parser.parseConfiguration(Files.readString(Path.of(words[0])));
        try (KafkaProxy proxy = new KafkaProxy(parser, settings, Features.defaultFeatures())) {
            proxy.startup();
            proxy.block();
        }
    }
}
