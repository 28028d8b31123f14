// What the Java programs share: the flags of Kafka's VerifiableProducer and VerifiableConsumer, the
// configuration, JSON lines on stdout, the records that a producer has sent, and a clean end on SIGTERM or
// SIGINT. See clients/README.md.
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.FileReader;
import java.io.IOException;
import java.io.PrintStream;
import java.io.Reader;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigException;
import sun.misc.Signal;

final class Subject {
	private static final String LIBRARY = "kafka-clients " + System.getProperty("subject.version", "");
	private static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), false);

	/** The client can't do what the configuration asks for; the message is the reason. */
	static final class Unsupported extends RuntimeException {
		Unsupported(String reason) {
			super(reason);
		}
	}

	/** What a program does; its result is the exit status. */
	interface Program {
		int run(Options options) throws Exception;
	}

	private Subject() {
	}

	/** Runs a program and ends the process, whatever the library's threads still do. */
	static void main(Program program, String flags, String[] args) {
		int status = 1;
		try {
			status = program.run(new Options(flags, args));
		} catch (Unsupported e) {
			say("unsupported", "reason", e.getMessage());
			status = 0;
		} catch (Throwable e) {
			log(e.toString());
		}
		end(status);
	}

	static void end(int status) {
		synchronized (OUT) {
			OUT.flush();
			Runtime.getRuntime().halt(status);
		}
	}

	static void log(String text) {
		System.err.println(text);
	}

	/** Writes one event as one line, at once: names and values in turn. */
	static void say(String name, Object... fields) {
		Map<String, Object> line = new LinkedHashMap<>();
		line.put("timestamp", System.currentTimeMillis());
		line.put("name", name);
		for (int i = 0; i < fields.length; i += 2)
			line.put((String) fields[i], fields[i + 1]);
		StringBuilder text = new StringBuilder();
		json(text, line);
		synchronized (OUT) {
			OUT.println(text);
			OUT.flush();
		}
	}

	private static void json(StringBuilder out, Object value) {
		if (value instanceof Map) {
			char before = '{';
			for (Map.Entry<?, ?> e : ((Map<?, ?>) value).entrySet()) {
				out.append(before);
				json(out, e.getKey());
				out.append(':');
				json(out, e.getValue());
				before = ',';
			}
			out.append(before == '{' ? "{}" : "}");
		} else if (value instanceof Collection) {
			char before = '[';
			for (Object e : (Collection<?>) value) {
				out.append(before);
				json(out, e);
				before = ',';
			}
			out.append(before == '[' ? "[]" : "]");
		} else if (value instanceof String) {
			quote(out, (String) value);
		} else {
			out.append(value);
		}
	}

	private static void quote(StringBuilder out, String text) {
		out.append('"');
		for (char c : text.toCharArray()) {
			if (c == '"' || c == '\\')
				out.append('\\').append(c);
			else if (c < ' ' || c > '~')
				out.append(String.format("\\u%04x", (int) c));
			else
				out.append(c);
		}
		out.append('"');
	}

	static Map<String, Object> place(TopicPartition tp) {
		Map<String, Object> row = new LinkedHashMap<>();
		row.put("topic", tp.topic());
		row.put("partition", tp.partition());
		return row;
	}

	/** The flags of a program and its configuration file. Usage errors end the process with status 2. */
	static final class Options {
		final Properties properties = new Properties();
		private final Map<String, String> flags = new TreeMap<>();

		/** known: flags by their names, those without a value with a ! behind them. */
		Options(String known, String[] args) {
			Set<String> names = Set.of(("topic bootstrap-server max-messages command-config " + known).split(" "));
			for (int i = 0; i < args.length; i++) {
				String flag = args[i].replaceFirst("^--", "").replace("broker-list", "bootstrap-server")
						.replaceFirst("^(producer|consumer)\\.config$", "command-config");
				if (names.contains(flag + "!"))
					flags.put(flag, "true");
				else if (names.contains(flag) && i + 1 < args.length)
					flags.put(flag, args[++i]);
				else
					usage(args[i], names);
			}
			for (String from : List.of("KTRIAL_BOOTSTRAP", "BOOTSTRAP_SERVERS"))
				if (System.getenv(from) != null)
					flags.putIfAbsent("bootstrap-server", System.getenv(from));
			if (!has("topic") || !has("bootstrap-server"))
				usage("--topic or --bootstrap-server is missing", names);
			read();
		}

		private void usage(String wrong, Set<String> names) {
			log(wrong + "; usage: --" + String.join(" --", new TreeSet<>(names)).replace("!", ""));
			end(wrong.equals("--help") ? 0 : 2);
		}

		private void read() {
			if (!has("command-config"))
				return;
			try (Reader in = new FileReader(text("command-config"))) {
				properties.load(in);
			} catch (IOException e) {
				log(e.toString());
				end(2);
			}
		}

		boolean has(String flag) {
			return flags.containsKey(flag);
		}

		String text(String flag) {
			return flags.get(flag);
		}

		long number(String flag, long otherwise) {
			return has(flag) ? Long.parseLong(text(flag)) : otherwise;
		}

		/** A flag as a key of the configuration; the file wins. */
		void configure(String key, String value) {
			if (value != null)
				properties.putIfAbsent(key, value);
		}

		/** The configuration of one client; keys that only the program's other one knows are left to that. */
		Properties configuration(Set<String> known, Set<String> others) {
			Properties own = new Properties();
			configure("bootstrap.servers", text("bootstrap-server"));
			for (String key : new TreeSet<>(properties.stringPropertyNames()))
				if (known.contains(key))
					own.put(key, properties.getProperty(key));
				else if (!others.contains(key))
					throw new Unsupported(LIBRARY + " has no " + key + " (asked for: " + properties.getProperty(key)
							+ ")");
			return own;
		}
	}

	/** Makes a client; a configuration that the library refuses is unsupported. */
	static <T> T build(Supplier<T> maker) {
		try {
			return maker.get();
		} catch (KafkaException e) {
			Throwable cause = e instanceof ConfigException || e.getCause() == null ? e : e.getCause();
			if (cause instanceof ConfigException)
				throw new Unsupported(LIBRARY + " refuses its configuration: " + cause.getMessage());
			throw e;
		}
	}

	/** The wish to end, by SIGTERM or SIGINT. Who does not end within the patience is ended. */
	static final class Stop {
		private final CountDownLatch asked = new CountDownLatch(1);

		Stop(long patienceMs, Runnable late) {
			for (String name : List.of("TERM", "INT"))
				Signal.handle(new Signal(name), signal -> begin(patienceMs, late));
		}

		private synchronized void begin(long patienceMs, Runnable late) {
			if (asked())
				return;
			asked.countDown();
			Thread watch = new Thread(() -> {
				try {
					Thread.sleep(patienceMs);
				} catch (InterruptedException e) {
					return;
				}
				log("a call did not come back after the signal");
				late.run();
				end(1);
			});
			watch.setDaemon(true);
			watch.start();
		}

		boolean asked() {
			return asked.getCount() == 0;
		}

		/** Waits; true when somebody asks to stop meanwhile. */
		boolean within(double ms) {
			try {
				return asked.await((long) (ms * 1000), TimeUnit.MICROSECONDS);
			} catch (InterruptedException e) {
				return true;
			}
		}
	}

	/** What a producer has sent and what became of it; prints the lines. Callable from any thread. */
	static final class Sends {
		private final Options options;
		private final String topic;
		private final long startNs = System.nanoTime();
		private final Map<Long, String[]> open = new TreeMap<>();
		private long sent, acked;

		Sends(Options options) {
			this.options = options;
			this.topic = options.text("topic");
		}

		synchronized long sent() {
			return sent;
		}

		private String nextKey() {
			long repeating = options.number("repeating-keys", 0);
			return repeating > 0 ? Long.toString(sent % repeating) : null;
		}

		String nextValue() {
			return options.has("value-prefix") ? options.text("value-prefix") + "." + sent : Long.toString(sent);
		}

		/** The next record by the flags, announced: its number, key and value. */
		synchronized Record attempt() {
			return attempt(nextKey(), nextValue());
		}

		synchronized Record attempt(String key, String value) {
			Record r = new Record(sent++, key, value);
			open.put(r.number, new String[] {key, value});
			say("send_attempt", "key", key, "value", value, "topic", topic);
			return r;
		}

		/** The answer to a record; the first one counts. */
		synchronized void answered(long number, Integer partition, Long offset, Throwable error) {
			String[] record = open.remove(number);
			if (record == null)
				return;
			if (error != null) {
				say("producer_send_error", "key", record[0], "value", record[1], "topic", topic, "exception",
						error.getClass().getSimpleName(), "message", String.valueOf(error.getMessage()));
				return;
			}
			acked++;
			say("producer_send_success", "key", record[0], "value", record[1], "topic", topic, "partition",
					partition, "offset", offset);
		}

		/** How long the wanted throughput says to wait before the next record, in ms. */
		double waitMs() {
			long throughput = options.number("throughput", -1);
			double due = throughput > 0 ? sent * 1e3 / throughput : 0;
			return Math.max(0, due - (System.nanoTime() - startNs) / 1e6);
		}

		/** Reports what nobody answered, prints the summary, gives the exit status. */
		synchronized int finish() {
			for (Long number : List.copyOf(open.keySet()))
				answered(number, null, null, new Unresolved());
			double tookS = Math.max((System.nanoTime() - startNs) / 1e9, 0.001);
			say("shutdown_complete");
			say("tool_data", "sent", sent, "acked", acked, "target_throughput", options.number("throughput", -1),
					"avg_throughput", Math.round(acked / tookS * 1000) / 1000.0);
			return acked == sent ? 0 : 1;
		}
	}

	static final class Record {
		final long number;
		final String key, value;

		Record(long number, String key, String value) {
			this.number = number;
			this.key = key;
			this.value = value;
		}
	}

	private static final class Unresolved extends Exception {
		Unresolved() {
			super("the producer ended before this record was answered");
		}
	}
}
