// Java's KafkaConsumer as a subject: subscribes, reports every poll, commits what it reported.
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

final class Consumer {
	private static final Duration POLL = Duration.ofMillis(200);
	private static final long END_LIMIT_MS = 5000; // after a signal, for the poll or commit that runs, and for close

	/** Prints what the group gives and takes. */
	static final class Listener implements ConsumerRebalanceListener {
		public void onPartitionsAssigned(Collection<TopicPartition> given) {
			say("partitions_assigned", given);
		}

		public void onPartitionsRevoked(Collection<TopicPartition> taken) {
			say("partitions_revoked", taken);
		}

		public void onPartitionsLost(Collection<TopicPartition> lost) { // since 2.4
			say("partitions_lost", lost);
		}

		private static void say(String name, Collection<TopicPartition> partitions) {
			Subject.say(name, "partitions", partitions.stream().map(Subject::place).collect(Collectors.toList()));
		}
	}

	public static void main(String[] args) {
		Subject.main(Consumer::run, "group-id group-instance-id group-protocol group-remote-assignor session-timeout "
				+ "verbose! enable-autocommit! reset-policy assignment-strategy", args);
	}

	static KafkaConsumer<String, String> make(Subject.Options options, Set<String> others) {
		options.configure("group.id", options.text("group-id"));
		options.configure("group.instance.id", options.text("group-instance-id"));
		options.configure("group.protocol", options.text("group-protocol"));
		options.configure("group.remote.assignor", options.text("group-remote-assignor"));
		options.configure("session.timeout.ms", options.text("session-timeout"));
		options.configure("enable.auto.commit", options.has("enable-autocommit") ? "true" : "false");
		options.configure("auto.offset.reset", options.has("reset-policy") ? options.text("reset-policy") : "earliest");
		options.configure("partition.assignment.strategy", options.text("assignment-strategy"));
		if ("classic".equals(options.properties.getProperty("group.protocol"))
				&& !ConsumerConfig.configNames().contains("group.protocol"))
			options.properties.remove("group.protocol"); // the only one that there was
		Properties config = options.configuration(ConsumerConfig.configNames(), others);
		return Subject.build(() -> new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer()));
	}

	/** At most `left` records (-1: all); what lies behind them is polled again. */
	private static Map<TopicPartition, List<ConsumerRecord<String, String>>> limit(
			KafkaConsumer<String, String> consumer, ConsumerRecords<String, String> polled, long left) {
		Map<TopicPartition, List<ConsumerRecord<String, String>>> kept = new LinkedHashMap<>();
		for (TopicPartition tp : polled.partitions()) {
			List<ConsumerRecord<String, String>> rows = polled.records(tp);
			int take = left < 0 ? rows.size() : (int) Math.min(left, rows.size());
			if (take < rows.size())
				consumer.seek(tp, rows.get(take).offset());
			if (take > 0)
				kept.put(tp, rows.subList(0, take));
			if (left >= 0)
				left -= take;
		}
		return kept;
	}

	private static long report(Map<TopicPartition, List<ConsumerRecord<String, String>>> records, boolean verbose) {
		List<Object> partitions = new ArrayList<>();
		long count = 0;
		for (Map.Entry<TopicPartition, List<ConsumerRecord<String, String>>> e : records.entrySet()) {
			List<ConsumerRecord<String, String>> rows = e.getValue();
			for (ConsumerRecord<String, String> r : rows)
				if (verbose)
					Subject.say("record_data", "key", r.key(), "value", r.value(), "topic", r.topic(), "partition",
							r.partition(), "offset", r.offset());
			Map<String, Object> row = Subject.place(e.getKey());
			row.put("count", rows.size());
			row.put("minOffset", rows.get(0).offset());
			row.put("maxOffset", rows.get(rows.size() - 1).offset());
			partitions.add(row);
			count += rows.size();
		}
		Subject.say("records_consumed", "count", count, "partitions", partitions);
		return count;
	}

	/** Commits what was just reported, and nothing else; prints the outcome, whatever it is. */
	private static void commit(KafkaConsumer<String, String> consumer,
			Map<TopicPartition, List<ConsumerRecord<String, String>>> records) {
		Map<TopicPartition, OffsetAndMetadata> offsets = new LinkedHashMap<>();
		List<Object> rows = new ArrayList<>();
		records.forEach((tp, list) -> {
			long next = list.get(list.size() - 1).offset() + 1;
			offsets.put(tp, new OffsetAndMetadata(next));
			Map<String, Object> row = Subject.place(tp);
			row.put("offset", next);
			rows.add(row);
		});
		try {
			consumer.commitSync(offsets);
			Subject.say("offsets_committed", "offsets", rows, "success", true);
		} catch (KafkaException e) {
			Subject.say("offsets_committed", "offsets", rows, "success", false, "error", e.toString());
		}
	}

	private static void consume(KafkaConsumer<String, String> consumer, Subject.Options options, Subject.Stop stop) {
		boolean verbose = options.has("verbose");
		boolean autocommit = Boolean.parseBoolean(options.properties.getProperty("enable.auto.commit"));
		long left = options.number("max-messages", -1);
		while (left != 0 && !stop.asked()) {
			Map<TopicPartition, List<ConsumerRecord<String, String>>> records =
					limit(consumer, consumer.poll(POLL), left);
			if (records.isEmpty())
				continue;
			long count = report(records, verbose);
			if (left > 0)
				left -= count;
			if (!autocommit)
				commit(consumer, records);
		}
	}

	private static int run(Subject.Options options) {
		KafkaConsumer<String, String> consumer = make(options, Set.of());
		Subject.Stop stop = new Subject.Stop(END_LIMIT_MS * 2, () -> Subject.say("shutdown_complete"));
		int status = 0;
		Subject.say("startup_complete");
		try {
			consumer.subscribe(List.of(options.text("topic")), new Listener());
			consume(consumer, options, stop);
			consumer.close(Duration.ofMillis(END_LIMIT_MS));
		} catch (KafkaException e) {
			Subject.log("consumer: " + e);
			try {
				consumer.close(Duration.ofMillis(END_LIMIT_MS));
			} catch (KafkaException again) {
				Subject.log("consumer: close: " + again);
			}
			status = 1;
		}
		Subject.say("shutdown_complete");
		return status;
	}
}
