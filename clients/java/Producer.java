// Java's KafkaProducer as a subject: sends what the flags ask for and reports each record.
import java.time.Duration;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

final class Producer {
	private static final long END_LIMIT_MS = 5000; // after a signal, for what is still in the producer

	public static void main(String[] args) {
		Subject.main(Producer::run, "throughput acks message-create-time value-prefix repeating-keys", args);
	}

	static KafkaProducer<String, String> make(Subject.Options options, Set<String> others) {
		options.configure("acks", options.has("acks") ? options.text("acks") : "-1");
		Properties config = options.configuration(ProducerConfig.configNames(), others);
		return Subject.build(() -> new KafkaProducer<>(config, new StringSerializer(), new StringSerializer()));
	}

	private static void send(KafkaProducer<String, String> producer, Subject.Options options, Subject.Sends sends) {
		Subject.Record r = sends.attempt();
		Long time = options.has("message-create-time") ? options.number("message-create-time", 0) + r.number : null;
		try {
			producer.send(new ProducerRecord<>(options.text("topic"), null, time, r.key, r.value),
					(got, e) -> sends.answered(r.number, got == null ? null : got.partition(),
							got == null || !got.hasOffset() ? -1L : got.offset(), e));
		} catch (RuntimeException e) {
			sends.answered(r.number, null, null, e);
		}
	}

	private static int run(Subject.Options options) {
		KafkaProducer<String, String> producer = make(options, Set.of());
		Subject.say("startup_complete");
		Subject.Sends sends = new Subject.Sends(options);
		Subject.Stop stop = new Subject.Stop(END_LIMIT_MS * 2, sends::finish);
		long count = options.number("max-messages", -1);
		while (!stop.asked() && (count < 0 || sends.sent() < count)) {
			send(producer, options, sends);
			stop.within(sends.waitMs());
		}
		if (!stop.asked())
			producer.flush();
		producer.close(Duration.ofMillis(END_LIMIT_MS));
		return sends.finish();
	}
}
