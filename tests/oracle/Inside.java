/* What Kafka's own topics hold, as Kafka's own classes read it.
 *
 *   java -cp LIBS Inside.java act BOOTSTRAP    transactions, groups of every protocol, share groups and a deleted group on a real broker
 *   java -cp LIBS Inside.java read FILE...     segments of internal topics' logs; of each record (and of each message inside its value) one
 *                                              line: FILE OFFSET PART TYPE VERSION JSON, separated by tabs; a tombstone has no value
 */
import java.io.File;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.metadata.MetadataJsonConverters;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.ControlRecordUtils;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.share.ShareCoordinatorRecordSerde;
import org.apache.kafka.coordinator.transaction.TransactionCoordinatorRecordSerde;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public class Inside {
	static final String TOPIC = "orders";

	// ---- what a cluster does ----

	static Map<String, Object> config(String bootstrap, Object... more) {
		Map<String, Object> c = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
		for (int i = 0; i < more.length; i += 2)
			c.put((String) more[i], more[i + 1]);
		return c;
	}

	static void produce(String bootstrap) {
		try (KafkaProducer<String, String> p = new KafkaProducer<>(config(bootstrap, "transactional.id", "till"),
				new StringSerializer(), new StringSerializer())) {
			p.initTransactions();
			for (int turn = 0; turn < 3; turn++) {
				p.beginTransaction();
				for (int i = 0; i < 10; i++)
					p.send(new ProducerRecord<>(TOPIC, i % 2, "key", "value " + i));
				if (turn == 1) {
					p.abortTransaction();
					continue;
				}
				p.sendOffsetsToTransaction(Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(turn, "said")),
					new ConsumerGroupMetadata("by-transaction"));
				p.commitTransaction();
			}
		}
	}

	static void poll(KafkaConsumer<String, String> c) {
		for (int i = 0; i < 100 && c.poll(Duration.ofMillis(200)).isEmpty(); i++)
			;
		c.commitSync();
	}

	static void consume(String bootstrap, String group, Object... more) {
		Map<String, Object> all = config(bootstrap, more);
		all.putAll(Map.of("group.id", group, "auto.offset.reset", "earliest"));
		try (KafkaConsumer<String, String> c = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer())) {
			if (group.equals("pattern"))
				c.subscribe(new SubscriptionPattern("ord.*"));
			else
				c.subscribe(List.of(TOPIC));
			poll(c);
		}
	}

	static void share(String bootstrap) {
		Map<String, Object> all = config(bootstrap, "group.id", "shared");
		try (KafkaShareConsumer<String, String> c = new KafkaShareConsumer<>(all, new StringDeserializer(), new StringDeserializer())) {
			c.subscribe(List.of(TOPIC));
			for (int i = 0; i < 100 && c.poll(Duration.ofMillis(200)).isEmpty(); i++)
				;
			c.commitSync();
		}
	}

	static void act(String bootstrap) throws Exception {
		try (Admin admin = Admin.create(config(bootstrap))) {
			admin.createTopics(List.of(new NewTopic(TOPIC, 2, (short) 1))).all().get();
			Collection<AlterConfigOp> earliest = List.of(new AlterConfigOp(
				new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET));
			admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, "shared"), earliest)).all().get();
			produce(bootstrap);
			consume(bootstrap, "classic");
			consume(bootstrap, "sticky", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
				"client.rack", "here", "group.instance.id", "static");
			consume(bootstrap, "modern", "group.protocol", "consumer");
			consume(bootstrap, "pattern", "group.protocol", "consumer");
			share(bootstrap);
			consume(bootstrap, "gone");
			admin.deleteConsumerGroups(List.of("gone")).all().get();
		}
	}

	// ---- what was written ----

	static void line(File file, long offset, String part, String type, int version, JsonNode json) {
		System.out.println(String.join("\t", file.getParentFile().getName(), Long.toString(offset), part, type, Integer.toString(version),
			json.toString()));
	}

	static void protocol(File file, long offset, byte[] bytes, boolean subscription) {
		if (bytes.length == 0)
			return;
		ByteBuffer b = ByteBuffer.wrap(bytes);
		short version = ConsumerProtocol.deserializeVersion(b);
		if (subscription)
			line(file, offset, "inside", "ConsumerProtocolSubscription", version, ConsumerProtocolSubscriptionJsonConverter.write(
				new ConsumerProtocolSubscription(new ByteBufferAccessor(b), version), version));
		else
			line(file, offset, "inside", "ConsumerProtocolAssignment", version, ConsumerProtocolAssignmentJsonConverter.write(
				new ConsumerProtocolAssignment(new ByteBufferAccessor(b), version), version));
	}

	static void inside(File file, long offset, Object value) {
		if (value instanceof GroupMetadataValue g && g.protocolType().equals("consumer"))
			g.members().forEach(m -> {
				protocol(file, offset, m.subscription(), true);
				protocol(file, offset, m.assignment(), false);
			});
		if (value instanceof ConsumerGroupMemberMetadataValue m && m.classicMemberMetadata() != null)
			m.classicMemberMetadata().supportedProtocols().forEach(p -> protocol(file, offset, p.metadata(), true));
	}

	static JsonNode json(String kind, boolean key, Object message, short version) {
		var m = (org.apache.kafka.common.protocol.ApiMessage) message;
		return switch (kind) {
			case "__consumer_offsets" -> key
				? org.apache.kafka.coordinator.group.generated.CoordinatorRecordJsonConverters.writeRecordKeyAsJson(m)
				: org.apache.kafka.coordinator.group.generated.CoordinatorRecordJsonConverters.writeRecordValueAsJson(m, version);
			case "__transaction_state" -> key
				? org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordJsonConverters.writeRecordKeyAsJson(m)
				: org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordJsonConverters.writeRecordValueAsJson(m, version);
			default -> key
				? org.apache.kafka.coordinator.share.generated.CoordinatorRecordJsonConverters.writeRecordKeyAsJson(m)
				: org.apache.kafka.coordinator.share.generated.CoordinatorRecordJsonConverters.writeRecordValueAsJson(m, version);
		};
	}

	static void coordinated(File file, String kind, Record r) {
		CoordinatorRecordSerde serde = switch (kind) {
			case "__consumer_offsets" -> new GroupCoordinatorRecordSerde();
			case "__transaction_state" -> new TransactionCoordinatorRecordSerde();
			default -> new ShareCoordinatorRecordSerde();
		};
		CoordinatorRecord c = serde.deserialize(r.key(), r.value());
		line(file, r.offset(), "key", c.key().getClass().getSimpleName(), 0, json(kind, true, c.key(), (short) 0));
		if (c.value() == null)
			return;
		ApiMessageAndVersion v = c.value();
		line(file, r.offset(), "value", v.message().getClass().getSimpleName(), v.version(), json(kind, false, v.message(), v.version()));
		inside(file, r.offset(), v.message());
	}

	static void control(File file, Record r) {
		ControlRecordType type = ControlRecordType.parse(r.key());
		short version = r.value().getShort(r.value().position());
		switch (type) {
			case ABORT, COMMIT -> line(file, r.offset(), "value", "EndTxnMarker", version, EndTxnMarkerJsonConverter.write(
				new EndTxnMarker().setCoordinatorEpoch(EndTransactionMarker.deserialize(r).coordinatorEpoch()), version));
			case LEADER_CHANGE -> line(file, r.offset(), "value", "LeaderChangeMessage", version,
				LeaderChangeMessageJsonConverter.write(ControlRecordUtils.deserializeLeaderChangeMessage(r), version));
			case SNAPSHOT_HEADER -> line(file, r.offset(), "value", "SnapshotHeaderRecord", version,
				SnapshotHeaderRecordJsonConverter.write(ControlRecordUtils.deserializeSnapshotHeaderRecord(r), version));
			case SNAPSHOT_FOOTER -> line(file, r.offset(), "value", "SnapshotFooterRecord", version,
				SnapshotFooterRecordJsonConverter.write(ControlRecordUtils.deserializeSnapshotFooterRecord(r), version));
			case KRAFT_VERSION -> line(file, r.offset(), "value", "KRaftVersionRecord", version,
				KRaftVersionRecordJsonConverter.write(ControlRecordUtils.deserializeKRaftVersionRecord(r), version));
			case KRAFT_VOTERS -> line(file, r.offset(), "value", "VotersRecord", version,
				VotersRecordJsonConverter.write(ControlRecordUtils.deserializeVotersRecord(r), version));
			default -> throw new IllegalStateException("control record " + type);
		}
	}

	static void metadata(File file, Record r) {
		ApiMessageAndVersion v = new MetadataRecordSerde().read(new ByteBufferAccessor(r.value()), r.valueSize());
		line(file, r.offset(), "value", v.message().getClass().getSimpleName(), v.version(),
			MetadataJsonConverters.writeJson(v.message(), v.version()));
	}

	static void read(File file) throws Exception {
		String kind = file.getParentFile().getName().replaceFirst("-\\d+$", "");
		try (FileRecords records = FileRecords.open(file, false)) {
			for (RecordBatch batch : records.batches())
				for (Record r : batch)
					if (batch.isControlBatch())
						control(file, r);
					else if (kind.equals("__cluster_metadata"))
						metadata(file, r);
					else
						coordinated(file, kind, r);
		}
	}

	public static void main(String[] args) throws Exception {
		if (args[0].equals("act"))
			act(args[1]);
		for (int i = 1; i < args.length && args[0].equals("read"); i++)
			read(new File(args[i]));
	}
}
