import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidUpdateVersionException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What Java's clients can do against the cluster at BOOTSTRAP; prints `ok|FAIL|n/a FEATURE detail` lines. */
public final class Features {
	private static final int LIMIT_S = 45;
	private static final String TAG = System.getenv("FEATURES_TAG"), CHOSEN = System.getenv("FEATURES");
	private static final int AT_ONCE = TAG == null ? 5 : 1;
	private static int count;
	private static final List<String> VALUES = IntStream.range(0, 20).mapToObj(i -> "value " + i).toList();
	private static String bootstrap;
	private static Admin admin;

	// ---- the frame

	public static void main(String[] args) throws Exception {
		if (args.length != 1) {
			System.err.println("usage: Features BOOTSTRAP");
			System.exit(2);
		}
		bootstrap = args[0];
		admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
		ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE);
		Map<String, Future<Boolean>> running = new LinkedHashMap<>();
		features().forEach((name, f) -> running.put(name, pool.submit(() -> outcome(name, f))));
		boolean good = true;
		for (Map.Entry<String, Future<Boolean>> one : running.entrySet()) {
			try {
				good &= one.getValue().get(end - System.nanoTime(), TimeUnit.NANOSECONDS);
			} catch (java.util.concurrent.TimeoutException e) {
				say("FAIL", one.getKey(), "no end within " + LIMIT_S + " s");
				good = false;
			}
		}
		Runtime.getRuntime().halt(good ? 0 : 1); // a client that hangs must not keep the process
	}

	private static boolean outcome(String name, Callable<String> feature) {
		try {
			say("ok", name, feature.call());
			return true;
		} catch (Throwable e) {
			say("FAIL", name, e.toString());
			return false;
		}
	}

	private static synchronized void say(String state, String name, String detail) {
		System.out.println((state + " " + name + " " + detail.replaceAll("\\s+", " ")).strip());
		System.out.flush();
	}

	private static String unique(String name) {
		if (TAG != null) // of a session that is played again; see feature.py
			return name + "-" + TAG + "-" + ++count;
		return name + "-" + UUID.randomUUID().toString().substring(0, 8);
	}

	private static void equal(Object got, Object wanted, String what) {
		if (!got.equals(wanted))
			throw new AssertionError(what + ": " + got + " is not " + wanted);
	}

	private static void until(String what, Callable<Boolean> condition) throws Exception {
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
		while (!condition.call()) {
			if (System.nanoTime() > end)
				throw new AssertionError("not within 15 s: " + what);
			Thread.sleep(50);
		}
	}

	// ---- clients

	private static String topic(String name, int partitions) throws Exception {
		String made = unique(name);
		admin.createTopics(List.of(new NewTopic(made, partitions, (short) 1))).all().get();
		until("the topic has leaders", () -> partitionsOf(made) == partitions);
		return made;
	}

	private static int partitionsOf(String name) throws Exception {
		try {
			TopicDescription found = admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
			return (int) found.partitions().stream().filter(p -> p.leader() != null).count();
		} catch (ExecutionException e) {
			return 0;
		}
	}

	private static KafkaProducer<String, String> producer(Object... config) {
		return new KafkaProducer<>(settings(config), new StringSerializer(), new StringSerializer());
	}

	private static KafkaConsumer<String, String> consumer(String group, Object... config) {
		Properties all = new Properties();
		all.put("auto.offset.reset", "earliest");
		all.put("enable.auto.commit", "false");
		if (group != null)
			all.put("group.id", group);
		all.putAll(settings(config));
		return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
	}

	private static Properties settings(Object... config) {
		Properties all = new Properties();
		all.put("bootstrap.servers", bootstrap);
		for (int i = 0; i < config.length; i += 2)
			all.put(config[i], config[i + 1]);
		return all;
	}

	private static List<Long> produce(String name, List<String> values, Object... config) throws Exception {
		List<Future<RecordMetadata>> sent = new ArrayList<>();
		List<Long> offsets = new ArrayList<>();
		try (KafkaProducer<String, String> p = producer(config)) {
			for (String v : values)
				sent.add(p.send(new ProducerRecord<>(name, v)));
			p.flush();
			for (Future<RecordMetadata> f : sent)
				offsets.add(f.get().offset());
		}
		return offsets;
	}

	private static List<ConsumerRecord<String, String>> read(String name, int count, Object... config) throws Exception {
		List<ConsumerRecord<String, String>> got = new ArrayList<>();
		TopicPartition partition = new TopicPartition(name, 0);
		try (KafkaConsumer<String, String> c = consumer(null, config)) {
			c.assign(List.of(partition));
			until(count + " records", () -> {
				c.poll(Duration.ofMillis(200)).forEach(got::add);
				return got.size() >= count;
			});
			c.poll(Duration.ofMillis(200)).forEach(got::add);
		}
		equal(got.size(), count, "number of records");
		return got;
	}

	private static List<String> values(List<ConsumerRecord<String, String>> records) {
		return records.stream().map(ConsumerRecord::value).toList();
	}

	private static List<Long> upTo(int count) {
		return IntStream.range(0, count).mapToObj(i -> (long) i).toList();
	}

	// ---- producing

	private static String acks(String level) throws Exception {
		String name = topic("acks", 1);
		List<Long> offsets = produce(name, VALUES, "acks", level, "enable.idempotence", "false");
		if (!level.equals("0"))
			equal(offsets, upTo(20), "offsets");
		equal(values(read(name, 20)), VALUES, "values");
		return "";
	}

	private static String codec(String kind) throws Exception {
		String name = topic(kind, 1);
		List<String> big = VALUES.stream().map(v -> v.repeat(100)).toList();
		produce(name, big, "compression.type", kind, "linger.ms", 50);
		equal(values(read(name, 20)), big, "values");
		return "";
	}

	private static String headers() throws Exception {
		String name = topic("headers", 1);
		try (KafkaProducer<String, String> p = producer()) {
			ProducerRecord<String, String> full = new ProducerRecord<>(name, "k", "v");
			full.headers().add("a", "1".getBytes(StandardCharsets.UTF_8)).add("b", null);
			p.send(full).get();
			p.send(new ProducerRecord<>(name, "k", null)).get();
		}
		List<ConsumerRecord<String, String>> got = read(name, 2);
		String shown = Arrays.stream(got.get(0).headers().toArray()).map(Features::shown).collect(Collectors.joining(","));
		equal(got.get(0).key() + "|" + got.get(0).value() + "|" + shown, "k|v|a=1,b=null", "record");
		equal(got.get(1).key() + "|" + got.get(1).value(), "k|null", "record");
		return "";
	}

	private static String shown(Header h) {
		return h.key() + "=" + (h.value() == null ? "null" : new String(h.value(), StandardCharsets.UTF_8));
	}

	private static String timestamps() throws Exception {
		String name = topic("timestamps", 1);
		long wanted = System.currentTimeMillis() - 5000;
		try (KafkaProducer<String, String> p = producer()) {
			p.send(new ProducerRecord<>(name, 0, wanted, null, "v")).get();
		}
		ConsumerRecord<String, String> got = read(name, 1).get(0);
		equal(got.timestamp() + " " + got.timestampType(), wanted + " CreateTime", "timestamp and type");
		return "";
	}

	private static String idempotent() throws Exception {
		String name = topic("idempotent", 1);
		List<String> many = IntStream.range(0, 100).mapToObj(i -> "value " + i).toList();
		equal(produce(name, many, "enable.idempotence", "true", "batch.size", 100), upTo(100), "offsets");
		equal(values(read(name, 100)), many, "values");
		return "";
	}

	private static String transaction(boolean commit) throws Exception {
		String name = topic("txn", 1);
		try (KafkaProducer<String, String> p = producer("transactional.id", unique("txn"))) {
			p.initTransactions();
			p.beginTransaction();
			p.send(new ProducerRecord<>(name, "first")).get();
			if (commit)
				p.commitTransaction();
			else
				p.abortTransaction();
			p.beginTransaction();
			p.send(new ProducerRecord<>(name, "second"));
			p.commitTransaction();
		}
		List<String> committed = commit ? List.of("first", "second") : List.of("second");
		equal(values(read(name, committed.size(), "isolation.level", "read_committed")), committed, "read_committed");
		equal(values(read(name, 2)), List.of("first", "second"), "read_uncommitted");
		return "";
	}

	private static String txnOffsets() throws Exception {
		String name = topic("txn-offsets", 1);
		TopicPartition partition = new TopicPartition(name, 0);
		try (KafkaConsumer<String, String> c = consumer(unique("group"));
				KafkaProducer<String, String> p = producer("transactional.id", unique("txn"))) {
			p.initTransactions();
			p.beginTransaction();
			p.send(new ProducerRecord<>(name, "v"));
			p.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(7)), c.groupMetadata());
			p.commitTransaction();
			equal(c.committed(Set.of(partition)).get(partition).offset(), 7L, "committed"); // waits for the markers
		}
		return "";
	}

	// ---- consuming

	private static String earliest() throws Exception {
		String name = topic("earliest", 1);
		produce(name, VALUES);
		equal(read(name, 20).stream().map(ConsumerRecord::offset).toList(), upTo(20), "offsets");
		return "";
	}

	private static String seek() throws Exception {
		String name = topic("seek", 1);
		produce(name, VALUES);
		TopicPartition partition = new TopicPartition(name, 0);
		List<ConsumerRecord<String, String>> got = new ArrayList<>();
		try (KafkaConsumer<String, String> c = consumer(null)) {
			c.assign(List.of(partition));
			c.seek(partition, 13);
			until("records", () -> {
				c.poll(Duration.ofMillis(200)).forEach(got::add);
				return got.size() >= 7;
			});
		}
		equal(values(got), VALUES.subList(13, 20), "values");
		return "";
	}

	private static String offsetForTime() throws Exception {
		String name = topic("time", 1);
		long base = System.currentTimeMillis() - 10000;
		try (KafkaProducer<String, String> p = producer()) {
			for (int i = 0; i < 5; i++)
				p.send(new ProducerRecord<>(name, 0, base + 1000 * i, null, "v")).get();
		}
		TopicPartition partition = new TopicPartition(name, 0);
		try (KafkaConsumer<String, String> c = consumer(null)) {
			equal(c.offsetsForTimes(Map.of(partition, base + 2500)).get(partition).offset(), 3L, "offset");
			equal(c.offsetsForTimes(Map.of(partition, base + 60000)).get(partition) == null, true, "none past the end");
		}
		return "";
	}

	/** A consumer of a group in a thread of its own; `owned` is what it has now, `revoked` how many it lost. */
	private static final class Member extends Thread implements ConsumerRebalanceListener {
		private final KafkaConsumer<String, String> client;
		private final Set<Integer> owned = ConcurrentHashMap.newKeySet();
		private volatile int revoked;
		private volatile int generation;
		private volatile boolean ending;

		Member(String group, String name, Object... config) {
			client = consumer(group, config);
			client.subscribe(List.of(name), this);
			setDaemon(true);
			start();
		}

		static Member classic(String group, String name, Object... config) {
			Object[] all = Arrays.copyOf(config, config.length + 4);
			System.arraycopy(new Object[] {"heartbeat.interval.ms", 200, "session.timeout.ms", 6000}, 0, all, config.length, 4);
			return new Member(group, name, all);
		}

		@Override
		public void run() {
			while (!ending) {
				client.poll(Duration.ofMillis(100));
				generation = client.groupMetadata().generationId();
			}
			client.close();
		}

		@Override
		public void onPartitionsAssigned(Collection<TopicPartition> added) {
			added.forEach(p -> owned.add(p.partition()));
		}

		@Override
		public void onPartitionsRevoked(Collection<TopicPartition> lost) {
			lost.forEach(p -> owned.remove(p.partition()));
			revoked += lost.size();
		}

		void leave() throws Exception {
			ending = true;
			join(10000);
		}
	}

	private static boolean shared(Member... members) {
		Set<Integer> all = new HashSet<>();
		for (Member m : members) {
			if (m.owned.size() != 4 / members.length)
				return false;
			all.addAll(m.owned);
		}
		return all.size() == 4;
	}

	private static String groupShare() throws Exception {
		String name = topic("share", 4);
		String group = unique("group");
		Member first = Member.classic(group, name);
		until("one has all", () -> shared(first));
		Member second = Member.classic(group, name);
		until("two each", () -> shared(first, second));
		first.leave();
		until("the second has all", () -> shared(second));
		second.leave();
		return "";
	}

	private static String keeping(Object... config) throws Exception {
		String name = topic("keeping", 4);
		String group = unique("group");
		Member first = new Member(group, name, config);
		until("one has all", () -> shared(first));
		Member second = new Member(group, name, config);
		until("two each", () -> shared(first, second));
		equal(first.revoked, 2, "revoked partitions");
		first.leave();
		until("the second has all", () -> shared(second));
		second.leave();
		return "";
	}

	private static String groupResume() throws Exception {
		String name = topic("resume", 1);
		String group = unique("group");
		produce(name, VALUES);
		List<ConsumerRecord<String, String>> got = new ArrayList<>();
		try (KafkaConsumer<String, String> c = consumer(group, "max.poll.records", 8)) {
			c.subscribe(List.of(name));
			until("records", () -> {
				c.poll(Duration.ofMillis(200)).forEach(got::add);
				return got.size() == 8;
			});
			c.commitSync();
		}
		got.clear();
		try (KafkaConsumer<String, String> c = consumer(group)) {
			c.subscribe(List.of(name));
			until("the rest", () -> {
				c.poll(Duration.ofMillis(200)).forEach(got::add);
				return got.size() >= 12;
			});
			TopicPartition partition = new TopicPartition(name, 0);
			equal(c.committed(Set.of(partition)).get(partition).offset(), 8L, "committed");
		}
		equal(values(got), VALUES.subList(8, 20), "the rest");
		return "";
	}

	private static String staticMember() throws Exception {
		String name = topic("static", 4);
		String group = unique("group");
		Member first = Member.classic(group, name, "group.instance.id", "one");
		Member second = Member.classic(group, name, "group.instance.id", "two");
		until("two each", () -> shared(first, second) && second.generation > 0 && first.generation == second.generation);
		Set<Integer> had = new HashSet<>(second.owned);
		int generation = second.generation;
		second.leave();
		Member again = Member.classic(group, name, "group.instance.id", "two");
		until("its partitions again", () -> again.owned.equals(had) && again.generation > 0);
		equal(again.generation, generation, "generation");
		again.leave();
		first.leave();
		return "";
	}

	// ---- admin

	private static String topics() throws Exception {
		String name = topic("topics", 3);
		equal(admin.listTopics().names().get().contains(name), true, "listed");
		equal(partitionsOf(name), 3, "partitions");
		try {
			admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
			throw new AssertionError("created twice");
		} catch (ExecutionException e) {
			equal(e.getCause().getClass(), TopicExistsException.class, "error of a second creation");
		}
		admin.deleteTopics(List.of(name)).all().get();
		until("it is gone", () -> !admin.listTopics().names().get().contains(name));
		return "";
	}

	private static String partitions() throws Exception {
		String name = topic("partitions", 1);
		admin.createPartitions(Map.of(name, NewPartitions.increaseTo(4))).all().get();
		until("four partitions", () -> partitionsOf(name) == 4);
		return "";
	}

	private static String configs() throws Exception {
		ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic("configs", 1));
		AlterConfigOp set = new AlterConfigOp(new ConfigEntry("retention.ms", "123456"), AlterConfigOp.OpType.SET);
		admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
		until("the new value", () -> retention(resource).equals("123456"));
		AlterConfigOp delete = new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE);
		admin.incrementalAlterConfigs(Map.of(resource, List.of(delete))).all().get();
		until("the default again", () -> retention(resource).equals("604800000"));
		return "";
	}

	private static String retention(ConfigResource resource) throws Exception {
		return admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value();
	}

	private static String groups() throws Exception {
		String name = topic("groups", 4);
		String group = unique("group");
		Member member = Member.classic(group, name);
		until("it has all", () -> shared(member));
		equal(listed(group), true, "listed");
		var found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
		equal(found.groupState() + " " + found.members().size(), GroupState.STABLE + " 1", "state and members");
		member.leave();
		admin.deleteConsumerGroups(List.of(group)).all().get();
		equal(listed(group), false, "listed");
		return "";
	}

	private static boolean listed(String group) throws Exception {
		return admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group));
	}

	private static String groupOffsets() throws Exception {
		TopicPartition partition = new TopicPartition(topic("group-offsets", 2), 1);
		String group = unique("group");
		admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(5, "m"))).all().get();
		OffsetAndMetadata got = offsets(group).get(partition);
		equal(got.offset() + " " + got.metadata(), "5 m", "offset and metadata");
		admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
		equal(offsets(group).get(partition) == null, true, "deleted offset");
		return "";
	}

	private static Map<TopicPartition, OffsetAndMetadata> offsets(String group) throws Exception {
		return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
	}

	private static String listOffsets() throws Exception {
		TopicPartition partition = new TopicPartition(topic("list-offsets", 1), 0);
		produce(partition.topic(), VALUES);
		equal(offset(partition, OffsetSpec.earliest()), 0L, "first");
		equal(offset(partition, OffsetSpec.latest()), 20L, "last");
		return "";
	}

	private static long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
		return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
	}

	private static String deleteRecords() throws Exception {
		TopicPartition partition = new TopicPartition(topic("delete-records", 1), 0);
		produce(partition.topic(), VALUES);
		var done = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(15))).lowWatermarks();
		equal(done.get(partition).get().lowWatermark(), 15L, "low watermark");
		equal(values(read(partition.topic(), 5)), VALUES.subList(15, 20), "what is left");
		return "";
	}

	private static String cluster() throws Exception {
		var found = admin.describeCluster();
		equal(found.clusterId().get().isEmpty(), false, "empty cluster id");
		Collection<Node> nodes = found.nodes().get();
		equal(nodes.contains(found.controller().get()), true, "controller among the brokers");
		return nodes.size() + " brokers";
	}

	/** A level is set to what it is, one that no controller has is refused, a dry run changes nothing. */
	private static String clusterFeatures() throws Exception {
		var found = admin.describeFeatures().featureMetadata().get();
		short level = found.finalizedFeatures().get("transaction.version").maxVersionLevel();
		equal(found.supportedFeatures().containsKey("group.version"), true, "group.version supported");
		admin.updateFeatures(update(level, FeatureUpdate.UpgradeType.UPGRADE), new UpdateFeaturesOptions()).all().get();
		refused(() -> admin.updateFeatures(update((short) 99, FeatureUpdate.UpgradeType.UPGRADE), new UpdateFeaturesOptions())
				.all().get(), InvalidUpdateVersionException.class);
		admin.updateFeatures(update((short) 1, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE), new UpdateFeaturesOptions().validateOnly(true))
				.all().get();
		var after = admin.describeFeatures().featureMetadata().get();
		equal(after.finalizedFeatures().get("transaction.version").maxVersionLevel(), level, "level after a dry run");
		return "transaction.version " + level;
	}

	private static Map<String, FeatureUpdate> update(short level, FeatureUpdate.UpgradeType type) {
		return Map.of("transaction.version", new FeatureUpdate(level, type));
	}

	private static void refused(Callable<?> call, Class<?> wanted) throws Exception {
		try {
			call.call();
		} catch (ExecutionException e) {
			equal(e.getCause().getClass(), wanted, "refusal");
			return;
		}
		throw new AssertionError("not refused with " + wanted.getSimpleName());
	}

	private static String quorum() throws Exception {
		var found = admin.describeMetadataQuorum().quorumInfo().get();
		equal(found.voters().stream().anyMatch(v -> v.replicaId() == found.leaderId()), true, "leader among the voters");
		equal(found.highWatermark() > 0, true, "high watermark above 0");
		return found.voters().size() + " voters";
	}

	/** An open transaction is listed and described, and ended by an administrator as one that hangs. */
	private static String hanging() throws Exception {
		TopicPartition partition = new TopicPartition(topic("hanging", 1), 0);
		String id = unique("hanging");
		KafkaProducer<String, String> p = producer("transactional.id", id);
		p.initTransactions();
		p.beginTransaction();
		p.send(new ProducerRecord<>(partition.topic(), "left")).get();
		until("the transaction is listed", () -> admin.listTransactions().all().get().stream()
				.anyMatch(t -> t.transactionalId().equals(id) && t.state() == TransactionState.ONGOING));
		equal(admin.describeTransactions(List.of(id)).description(id).get().topicPartitions(), Set.of(partition), "its partitions");
		var state = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
		equal(state.currentTransactionStartOffset().getAsLong(), 0L, "start of the transaction");
		produce(partition.topic(), VALUES);
		equal(stable(partition), 0L, "last stable offset");
		admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(),
				state.coordinatorEpoch().orElse(0))).all().get();
		until("the marker counts", () -> stable(partition) == VALUES.size() + 2);
		equal(values(read(partition.topic(), VALUES.size(), "isolation.level", "read_committed")), VALUES, "what is not aborted");
		p.close(Duration.ZERO);
		return "";
	}

	private static long stable(TopicPartition partition) throws Exception {
		return admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(IsolationLevel.READ_COMMITTED))
				.partitionResult(partition).get().offset();
	}

	private static String replicas() throws Exception {
		TopicPartition partition = new TopicPartition(topic("replicas", 1), 0);
		int broker = admin.describeTopics(List.of(partition.topic())).allTopicNames().get().get(partition.topic()).partitions().get(0)
				.leader().id();
		produce(partition.topic(), VALUES);
		var dirs = admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker).values();
		equal(dirs.stream().anyMatch(d -> d.replicaInfos().containsKey(partition)), true, "a directory with the replica");
		var elected = admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition);
		equal(elected.get().getClass(), ElectionNotNeededException.class, "election");
		admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(broker))))).all().get();
		equal(admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty(), true, "nothing moves");
		refused(() -> admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(99))))).all()
				.get(), InvalidReplicaAssignmentException.class);
		return "";
	}

	private static Map<String, Callable<String>> features() {
		Map<String, Callable<String>> all = new LinkedHashMap<>();
		all.put("kip848", () -> keeping("group.protocol", "consumer"));
		all.put("cooperative", () -> keeping("partition.assignment.strategy", CooperativeStickyAssignor.class.getName(),
				"heartbeat.interval.ms", 200, "session.timeout.ms", 6000));
		all.put("group-share", Features::groupShare);
		all.put("static", Features::staticMember);
		all.put("acks-0", () -> acks("0"));
		all.put("acks-1", () -> acks("1"));
		all.put("acks-all", () -> acks("all"));
		for (String kind : List.of("gzip", "snappy", "lz4", "zstd"))
			all.put(kind, () -> codec(kind));
		all.put("headers", Features::headers);
		all.put("timestamps", Features::timestamps);
		all.put("idempotent", Features::idempotent);
		all.put("txn-commit", () -> transaction(true));
		all.put("txn-abort", () -> transaction(false));
		all.put("txn-offsets", Features::txnOffsets);
		all.put("earliest", Features::earliest);
		all.put("seek", Features::seek);
		all.put("offset-for-time", Features::offsetForTime);
		all.put("group-resume", Features::groupResume);
		all.put("topics", Features::topics);
		all.put("partitions", Features::partitions);
		all.put("configs", Features::configs);
		all.put("groups", Features::groups);
		all.put("group-offsets", Features::groupOffsets);
		all.put("list-offsets", Features::listOffsets);
		all.put("delete-records", Features::deleteRecords);
		all.put("cluster", Features::cluster);
		all.put("features", Features::clusterFeatures);
		all.put("quorum", Features::quorum);
		all.put("hanging-txn", Features::hanging);
		all.put("replicas", Features::replicas);
		if (CHOSEN != null)
			all.keySet().retainAll(List.of(CHOSEN.split(",")));
		return all;
	}

	private Features() {
	}
}
