import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A cluster for each test class: classes may run in parallel, each on its own free ports. */
class OrdersTest {
    static String bootstrap = System.getenv("KTRIAL_BOOTSTRAP"); // set by `ktrial run --under`
    static String control;
    static Process serve;

    @BeforeAll
    static void start() throws Exception {
        if (bootstrap != null)
            return;
        serve = new ProcessBuilder("ktrial", "serve", "--listen", "127.0.0.1:0", "--topic", "orders:1", "--with-parent")
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader out = serve.inputReader();
        String[] words = out.readLine().split(" ");
        bootstrap = words[1].substring("bootstrap=".length());
        control = words[2].substring("control=".length());
    }

    @AfterAll
    static void stop() {
        if (serve != null)
            serve.destroy();
    }

    static String ask(String method, String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + control + path))
            .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        assertTrue(answer.statusCode() < 400, answer.body());
        return answer.body();
    }

    static long send(String value) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "acks", "all");
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            return producer.send(new ProducerRecord<>("orders", value)).get().offset();
        }
    }

    @Test
    void whatIsSentIsAcknowledged() throws Exception {
        assertTrue(send("a") >= 0);
    }

    @Test
    void aFailedWriteIsSentAgain() throws Exception {
        Assumptions.assumeTrue(control != null, "the faults are those of the scenario");
        ask("POST", "/reset", "");
        ask("POST", "/rules", "{\"name\": \"fail\", \"rule\": \"Produce nth=1 -> error NOT_LEADER_OR_FOLLOWER\"}");
        assertEquals(0, send("a"));
        assertTrue(ask("GET", "/rules/fail", "").contains("\"hits\":1"));
    }
}
