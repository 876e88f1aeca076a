package pack;

import org.apache.dubbo.common.stream.StreamObserver;

/** What the provider does and the consumer asks for. */
public interface Greeter {
    String greet(String name, int times);

    void many(String name, StreamObserver<String> answers);

    StreamObserver<String> both(StreamObserver<String> answers);
}
