package pack;

import java.util.concurrent.CountDownLatch;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcContext;

/** A provider ({@code provider PORT}), or a consumer that makes one call ({@code consumer PORT CALL}). */
public final class Talk {
    static final class Provider implements Greeter {
        @Override
        public String greet(String name, int times) {
            if (name.isEmpty()) {
                IllegalArgumentException error = new IllegalArgumentException("nobody");
                error.setStackTrace(new StackTraceElement[0]); // it would be most of the recording
                throw error;
            }
            return "hello ".repeat(times) + name;
        }

        @Override
        public void many(String name, StreamObserver<String> answers) {
            for (int number = 0; number < 3; number++) {
                answers.onNext(name + number);
            }
            answers.onCompleted();
        }

        @Override
        public StreamObserver<String> both(StreamObserver<String> answers) {
            return new StreamObserver<>() {
                @Override
                public void onNext(String name) {
                    answers.onNext("hello " + name);
                }

                @Override
                public void onError(Throwable error) {
                    System.out.println(error);
                }

                @Override
                public void onCompleted() {
                    answers.onCompleted();
                }
            };
        }
    }

    /** Prints the answers, and knows when they have ended. */
    static final class Answers implements StreamObserver<String> {
        final CountDownLatch ended = new CountDownLatch(1);

        @Override
        public void onNext(String answer) {
            System.out.println("answer: " + answer);
        }

        @Override
        public void onError(Throwable error) {
            System.out.println("error: " + error);
            ended.countDown();
        }

        @Override
        public void onCompleted() {
            ended.countDown();
        }
    }

    public static void main(String[] words) throws Exception {
        int port = Integer.parseInt(words[1]);
        ApplicationConfig application = new ApplicationConfig("the-" + words[0]);
        application.setQosEnable(false);
        DubboBootstrap bootstrap = DubboBootstrap.getInstance();
        bootstrap.application(application).registry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
        if (words[0].equals("provider")) {
            provide(bootstrap, port);
        } else {
            consume(bootstrap, port, words[2]);
        }
        System.exit(0);
    }

    private static void provide(DubboBootstrap bootstrap, int port) throws Exception {
        ServiceConfig<Greeter> service = new ServiceConfig<>();
        service.setInterface(Greeter.class);
        service.setRef(new Provider());
        service.setVersion("1.2.3");
        service.setGroup("blue");
        bootstrap.protocol(new ProtocolConfig("tri", port)).service(service).start();
        System.in.read();
    }

    private static void consume(DubboBootstrap bootstrap, int port, String call) throws Exception {
        ReferenceConfig<Greeter> reference = new ReferenceConfig<>();
        reference.setInterface(Greeter.class);
        reference.setUrl("tri://127.0.0.1:" + port);
        reference.setVersion("1.2.3");
        reference.setGroup("blue");
        reference.setTimeout(3000);
        bootstrap.reference(reference).start();
        Greeter greeter = reference.get();
        Answers answers = new Answers();
        switch (call) {
            case "unary":
                RpcContext.getClientAttachment().setAttachment("x-key", "one");
                answers.onNext(greeter.greet("world", 2));
                break;
            case "exception":
                try {
                    answers.onNext(greeter.greet("", 1));
                } catch (IllegalArgumentException error) {
                    answers.onError(error);
                }
                break;
            case "many":
                greeter.many("n", answers);
                answers.ended.await();
                break;
            case "both":
                StreamObserver<String> requests = greeter.both(answers);
                requests.onNext("a");
                requests.onNext("b");
                requests.onCompleted();
                answers.ended.await();
                break;
            default:
                throw new IllegalArgumentException(call);
        }
    }
}
