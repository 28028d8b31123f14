// Java's transactional producer as a subject: writes transactions, or reads a topic and writes what it read.
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnsupportedVersionException;

final class Transactional {
	private static final Duration POLL = Duration.ofMillis(200);
	private static final long END_LIMIT_MS = 10000;

	private final Subject.Options options;
	private final KafkaProducer<String, String> producer;
	private final KafkaConsumer<String, String> consumer; // null: what is written is made up
	private final Subject.Sends sends;
	private final Subject.Stop stop;
	private final List<ConsumerRecord<String, String>> read = new ArrayList<>(); // of this transaction
	private long number, done;

	private Transactional(Subject.Options options) {
		this.options = options;
		options.configure("transactional.id", options.text("transactional-id"));
		if (options.has("input-topic"))
			options.configure("isolation.level", "read_committed");
		consumer = options.has("input-topic") ? Consumer.make(options, ProducerConfig.configNames()) : null;
		producer = Producer.make(options, consumer == null ? Set.of() : ConsumerConfig.configNames());
		sends = new Subject.Sends(options);
		stop = new Subject.Stop(END_LIMIT_MS, sends::finish);
	}

	public static void main(String[] args) {
		Subject.main(options -> new Transactional(options).run(),
				"input-topic group-id transactional-id transaction-size abort-every value-prefix throughput acks", args);
	}

	private void say(String state, Object... more) {
		List<Object> fields = new ArrayList<>(List.of("state", state, "number", number));
		fields.addAll(List.of(more));
		Subject.say("transaction", fields.toArray());
	}

	/** How many records the next transaction has at most; 0 at the end. */
	private long size() {
		long size = options.number("transaction-size", 10), count = options.number("max-messages", -1);
		return stop.asked() ? 0 : count < 0 ? size : Math.min(size, count - done);
	}

	private Future<RecordMetadata> send(String key, String value) {
		Subject.Record r = value == null ? sends.attempt() : sends.attempt(key, value);
		return producer.send(new ProducerRecord<>(options.text("topic"), r.key, r.value),
				(got, e) -> sends.answered(r.number, got == null ? null : got.partition(),
						got == null || !got.hasOffset() ? -1L : got.offset(), e));
	}

	/** Reads until there is something for a transaction; false when somebody asks to stop. */
	private boolean poll(long size) {
		read.clear();
		while (consumer != null && read.isEmpty()) {
			if (stop.asked())
				return false;
			for (ConsumerRecord<String, String> r : consumer.poll(POLL))
				if (read.size() < size)
					read.add(r);
				else
					break;
			rewind(true);
		}
		return true;
	}

	/** Takes the position back: behind what was kept, or before it. */
	private void rewind(boolean keep) {
		Map<TopicPartition, Long> positions = new LinkedHashMap<>();
		for (ConsumerRecord<String, String> r : read)
			if (keep)
				positions.put(new TopicPartition(r.topic(), r.partition()), r.offset() + 1);
			else
				positions.putIfAbsent(new TopicPartition(r.topic(), r.partition()), r.offset());
		if (consumer == null)
			return;
		for (TopicPartition tp : consumer.assignment())
			if (positions.containsKey(tp))
				consumer.seek(tp, positions.get(tp));
	}

	private void sendOffsets() throws Exception {
		Map<TopicPartition, OffsetAndMetadata> offsets = new LinkedHashMap<>();
		for (ConsumerRecord<String, String> r : read)
			offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
		if (offsets.isEmpty())
			return;
		try {
			Object group = consumer.getClass().getMethod("groupMetadata").invoke(consumer); // since 2.5
			Class<?> type = Class.forName("org.apache.kafka.clients.consumer.ConsumerGroupMetadata");
			producer.getClass().getMethod("sendOffsetsToTransaction", Map.class, type).invoke(producer, offsets, group);
		} catch (NoSuchMethodException e) {
			producer.getClass().getMethod("sendOffsetsToTransaction", Map.class, String.class) // until 3.9
					.invoke(producer, offsets, options.text("group-id"));
		} catch (java.lang.reflect.InvocationTargetException e) {
			throw (Exception) e.getCause();
		}
	}

	/** One transaction. True when it ended as it should. What was read is read again after an abort; made-up
	 * values are not. */
	private boolean transact(long size) throws Exception {
		long abortEvery = options.number("abort-every", 0);
		number++;
		done += consumer == null ? size : 0;
		producer.beginTransaction();
		say("begun");
		try {
			for (ConsumerRecord<String, String> r : read)
				send(r.key(), options.has("value-prefix") ? options.text("value-prefix") + "." + r.value() : r.value());
			for (long i = 0; consumer == null && i < size && !stop.asked(); i++) {
				send(null, null);
				stop.within(sends.waitMs());
			}
			if (abortEvery > 0 && number % abortEvery == 0) {
				producer.flush();
				abort("as asked for");
				return true;
			}
			sendOffsets();
			commit();
			say("committed");
			done += read.size();
			return true;
		} catch (ProducerFencedException | OutOfOrderSequenceException | AuthorizationException
				| UnsupportedVersionException e) {
			throw e; // the library's documentation: close, nothing else
		} catch (KafkaException e) {
			abort(e.toString());
			return false;
		}
	}

	/** A commit that timed out may be tried again, and only that. */
	private void commit() {
		while (true) {
			try {
				producer.commitTransaction();
				return;
			} catch (TimeoutException e) {
				if (stop.asked())
					throw e;
			}
		}
	}

	private void abort(String why) {
		producer.abortTransaction();
		say("aborted", "message", why);
		rewind(false);
	}

	private int run() throws Exception {
		boolean good = true;
		try {
			producer.initTransactions();
			Subject.say("startup_complete");
			if (consumer != null)
				consumer.subscribe(List.of(options.text("input-topic")), new Consumer.Listener());
			for (long size = size(); size > 0 && poll(size); size = size())
				good &= transact(size);
			if (consumer != null)
				consumer.close(Duration.ofMillis(END_LIMIT_MS / 2));
		} catch (ProducerFencedException e) {
			say("fenced", "message", e.toString());
			good = false;
		} catch (KafkaException e) {
			Subject.log("transactional: " + e);
			good = false;
		}
		producer.close(Duration.ofMillis(END_LIMIT_MS / 2));
		sends.finish();
		return good ? 0 : 1;
	}
}
