/* Kafka's own generated message classes as an oracle.
 *
 *   java -cp JARS Messages.java make SEED COUNT   random messages of every class on the class path, every version, one a line:
 *                                                 KEY NAME TYPE VERSION FEATURE HEX JSON, separated by tabs (KEY -1: no API)
 *   java -cp JARS Messages.java read              lines NAME TYPE VERSION HEX on stdin; the same with JSON in place of HEX, or "! why"
 *
 * JSON follows ktrial's contract ("JSON of a message"). Everything is read off the classes by reflection: SCHEMAS says what is on the wire in a version, a
 * fresh object what the defaults are.
 * Of each class and version there is one message with every array of at least two elements, every tagged field set and an unknown tag in every struct that can carry
 * one; one with every nullable value null; one with every nullable container null, where there are any; and COUNT with anything anywhere. */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

public class Messages {
	static final String[] PACKAGES = {
		"org.apache.kafka.common.message", "org.apache.kafka.coordinator.group.generated",
		"org.apache.kafka.coordinator.transaction.generated", "org.apache.kafka.coordinator.share.generated",
		"org.apache.kafka.common.metadata",
	};

	enum Feature { FULL, NULLS, NULL_CONTAINERS, ANY }

	/** One field of a struct at one version, as SCHEMAS has it. */
	record Slot(Field field, Type type, int tag) {}

	record Kind(String name, String type, Class<?> cls) {}

	static Random random;

	// ---- the classes ----

	static List<Kind> kinds() throws Exception {
		TreeMap<String, Kind> found = new TreeMap<>();
		for (String path : System.getProperty("java.class.path").split(":")) {
			if (!path.endsWith(".jar"))
				continue;
			try (JarFile jar = new JarFile(path)) {
				for (JarEntry e : Collections.list(jar.entries())) {
					if (!e.getName().matches("common/(message|metadata)/\\w+[.]json"))
						continue;
					String name = defined(new String(jar.getInputStream(e).readAllBytes(), StandardCharsets.UTF_8));
					found.put(name, kind(name));
				}
			}
		}
		found.values().removeIf(k -> k.cls == null); // a definition whose versions are all gone has no class
		return new ArrayList<>(found.values());
	}

	/** The name that a definition gives its message: not always that of the file. */
	static String defined(String definition) {
		Matcher m = Pattern.compile("\"name\"\\s*:\\s*\"(\\w+)\"").matcher(definition);
		if (!m.find())
			throw new IllegalStateException("a definition without a name: " + definition);
		return m.group(1);
	}

	static Kind kind(String name) {
		for (String type : new String[] {"Request", "Response"})
			if (name.endsWith(type))
				return new Kind(name.substring(0, name.length() - type.length()), type.toLowerCase(), find(name + "Data"));
		return new Kind(name, "data", name.endsWith("Header") ? find(name + "Data") : find(name));
	}

	static Class<?> find(String name) {
		for (String p : PACKAGES) {
			try {
				return Class.forName(p + "." + name);
			} catch (ClassNotFoundException e) {
				continue;
			}
		}
		return null;
	}

	static Schema schema(Class<?> cls, int version) throws Exception {
		Schema[] all = (Schema[]) cls.getField("SCHEMAS").get(null);
		return all[version];
	}

	static Message fresh(Class<?> cls) throws Exception {
		Constructor<?> c = cls.getDeclaredConstructor();
		c.setAccessible(true);
		return (Message) c.newInstance();
	}

	static String plain(String name) {
		return name.replace("_", "").toLowerCase();
	}

	static final Map<String, Field> FIELDS = new HashMap<>();

	static Field field(Class<?> cls, String name) {
		return FIELDS.computeIfAbsent(cls.getName() + ":" + name, k -> {
			for (Field f : cls.getDeclaredFields()) {
				if (Modifier.isStatic(f.getModifiers()) || !plain(f.getName()).equals(plain(name)))
					continue;
				f.setAccessible(true);
				return f;
			}
			throw new IllegalStateException("no field for " + k);
		});
	}

	@SuppressWarnings("unchecked") // 3.9.1 has no accessor
	static TreeMap<Integer, org.apache.kafka.common.protocol.types.Field> tagged(TaggedFields section) throws Exception {
		Field f = TaggedFields.class.getDeclaredField("fields");
		f.setAccessible(true);
		return new TreeMap<>((Map<Integer, org.apache.kafka.common.protocol.types.Field>) f.get(section));
	}

	static List<Slot> slots(Class<?> cls, Schema schema) throws Exception {
		List<Slot> slots = new ArrayList<>();
		for (BoundField bound : schema.fields()) {
			if (!(bound.def.type instanceof TaggedFields)) {
				slots.add(new Slot(field(cls, bound.def.name), bound.def.type, -1));
				continue;
			}
			for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> e : tagged((TaggedFields) bound.def.type).entrySet())
				slots.add(new Slot(field(cls, e.getValue().name), e.getValue().type, e.getKey()));
		}
		return slots;
	}

	static boolean flexible(Schema schema) {
		return Arrays.stream(schema.fields()).anyMatch(b -> b.def.type instanceof TaggedFields);
	}

	/** The largest tag of that struct in any version: a tag that another version knows is refused by Kafka, not kept. */
	static int lastTag(Class<?> cls) throws Exception {
		int last = -1;
		for (Schema schema : (Schema[]) cls.getField("SCHEMAS").get(null))
			for (Slot s : schema == null ? List.<Slot>of() : slots(cls, schema))
				last = Math.max(last, s.tag);
		return last;
	}

	// ---- random values ----

	static long integer(int bits, boolean signed) {
		long max = signed ? (bits == 64 ? Long.MAX_VALUE : (1L << (bits - 1)) - 1) : (1L << bits) - 1;
		long min = signed ? -max - 1 : 0;
		switch (random.nextInt(6)) {
		case 0: return min;
		case 1: return max;
		case 2: return signed ? -1 : 1;
		case 3: return random.nextInt(100);
		default: return signed ? random.nextLong() >> (64 - bits) : random.nextLong() >>> (64 - bits);
		}
	}

	static String text() {
		String[] parts = {"a", "topic", "-", "1", "\u00e9", "\u6f22\u5b57", "\ud83d\ude00", "\"", "\\", "\n", "/", "\u0001", "Z9"};
		StringBuilder s = new StringBuilder();
		for (int n = random.nextInt(5); n > 0; n--)
			s.append(parts[random.nextInt(parts.length)]);
		if (random.nextInt(60) == 0)
			s.append("x".repeat(130)); // a length of two bytes as a varint
		return s.toString();
	}

	static byte[] blob() {
		byte[] b = new byte[random.nextInt(40) == 0 ? 700 : random.nextInt(9)];
		random.nextBytes(b);
		return b;
	}

	static double real() {
		double[] some = {0.0, -0.0, 1.5, 100, -2.25e10, 1e300, 5e-324, Double.MAX_VALUE, Double.NaN, Double.POSITIVE_INFINITY,
			Double.NEGATIVE_INFINITY, 0.1, 1.0 / 3};
		return random.nextBoolean() ? some[random.nextInt(some.length)] : random.nextGaussian() * 1e6;
	}

	static Object records(byte[] bytes) throws Exception {
		for (String name : new String[] {"org.apache.kafka.common.record.MemoryRecords", "org.apache.kafka.common.record.internal.MemoryRecords"}) {
			try {
				return Class.forName(name).getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
			} catch (ClassNotFoundException e) {
				continue;
			}
		}
		throw new IllegalStateException("no MemoryRecords");
	}

	static boolean isRecords(Class<?> c) {
		return c.getSimpleName().equals("BaseRecords");
	}

	static Object scalar(Class<?> c, Type type) throws Exception {
		if (c == boolean.class || c == Boolean.class)
			return random.nextBoolean();
		if (c == byte.class || c == Byte.class)
			return (byte) integer(8, true);
		if (c == short.class || c == Short.class)
			return (short) integer(16, true);
		if (c == int.class || c == Integer.class)
			return type == Type.UINT16 ? (int) integer(16, false) : (int) integer(32, true);
		if (c == long.class || c == Long.class)
			return type == Type.UNSIGNED_INT32 ? integer(32, false) : integer(64, true);
		if (c == double.class)
			return real();
		if (c == Uuid.class)
			return random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
		if (c == String.class)
			return text();
		if (c == byte[].class)
			return blob();
		if (c == ByteBuffer.class)
			return ByteBuffer.wrap(blob());
		if (isRecords(c))
			return records(blob());
		throw new IllegalStateException("no values for " + c);
	}

	static Class<?> elementClass(Field f) {
		java.lang.reflect.Type t = f.getGenericType();
		if (!(t instanceof ParameterizedType))
			t = f.getType().getGenericSuperclass();
		return (Class<?>) ((ParameterizedType) t).getActualTypeArguments()[0];
	}

	@SuppressWarnings("unchecked")
	static Collection<Object> emptyCollection(Field f) throws Exception {
		if (f.getType() == List.class)
			return new ArrayList<>();
		return (Collection<Object>) f.getType().getDeclaredConstructor().newInstance();
	}

	/** What the schema can't say of structs and records: Kafka refuses to write them as null. */
	static final Map<String, Boolean> NULLABLE = new HashMap<>();

	static boolean nullable(Message owner, Slot s, int version) throws Exception {
		if (s.field.getType().isPrimitive() || s.field.getType() == Uuid.class)
			return false;
		if (!(s.type instanceof Schema) && !isRecords(s.field.getType()))
			return s.type.isNullable();
		String key = owner.getClass().getName() + ":" + s.field.getName() + ":" + version;
		if (!NULLABLE.containsKey(key)) {
			Object kept = s.field.get(owner);
			s.field.set(owner, null);
			try {
				size(owner, version);
				NULLABLE.put(key, true);
			} catch (NullPointerException e) {
				NULLABLE.put(key, false);
			}
			s.field.set(owner, kept);
		}
		return NULLABLE.get(key);
	}

	static boolean wantsNull(Feature feature, boolean container) {
		switch (feature) {
		case FULL: return false;
		case NULLS: return !container;
		case NULL_CONTAINERS: return true;
		default: return random.nextInt(4) == 0;
		}
	}

	static Object value(Slot s, Feature feature, int version) throws Exception {
		Class<?> c = s.field.getType();
		if (!Collection.class.isAssignableFrom(c))
			return s.type instanceof Schema ? fill(c, (Schema) s.type, feature, version) : scalar(c, s.type);
		Collection<Object> list = emptyCollection(s.field);
		Type element = s.type.arrayElementType().get();
		int n = feature == Feature.FULL ? 2 + random.nextInt(2) / (1 + random.nextInt(2)) : feature == Feature.ANY ? random.nextInt(3) : 1;
		for (int i = 0; i < n; i++)
			list.add(element instanceof Schema ? fill(elementClass(s.field), (Schema) element, feature, version)
				: scalar(elementClass(s.field), element));
		return list;
	}

	static Message fill(Class<?> cls, Schema schema, Feature feature, int version) throws Exception {
		Message m = fresh(cls), defaults = fresh(cls);
		List<Slot> slots = slots(cls, schema);
		for (Slot s : slots) {
			if (s.tag >= 0 && feature == Feature.ANY && random.nextBoolean())
				continue;
			Object v = value(s, feature, version);
			for (int i = 0; s.tag >= 0 && feature == Feature.FULL && same(v, s.field.get(defaults)) && i < 100; i++)
				v = value(s, feature, version);
			s.field.set(m, v);
		}
		for (Slot s : slots) {
			boolean container = Collection.class.isAssignableFrom(s.field.getType()) || s.type instanceof Schema;
			if (wantsNull(feature, container) && nullable(m, s, version))
				s.field.set(m, null);
		}
		if (flexible(schema) && (feature == Feature.FULL || feature == Feature.ANY && random.nextInt(3) == 0))
			for (int n = 1 + random.nextInt(2), tag = lastTag(cls); n > 0; n--) {
				tag += 1 + random.nextInt(3) + (random.nextInt(5) == 0 ? random.nextInt(1 << 27) : 0);
				m.unknownTaggedFields().add(new RawTaggedField(tag, blob()));
			}
		return m;
	}

	// ---- bytes ----

	static int size(Message m, int version) {
		org.apache.kafka.common.protocol.MessageSizeAccumulator size = new org.apache.kafka.common.protocol.MessageSizeAccumulator();
		m.addSize(size, new ObjectSerializationCache(), (short) version);
		return size.totalSize();
	}

	static byte[] bytes(Message m, int version) {
		ObjectSerializationCache cache = new ObjectSerializationCache();
		org.apache.kafka.common.protocol.MessageSizeAccumulator size = new org.apache.kafka.common.protocol.MessageSizeAccumulator();
		m.addSize(size, cache, (short) version);
		ByteBuffer buffer = ByteBuffer.allocate(size.totalSize());
		m.write(new ByteBufferAccessor(buffer), cache, (short) version);
		if (buffer.hasRemaining())
			throw new IllegalStateException("fewer bytes than the size said");
		return buffer.array();
	}

	// ---- JSON by the contract ----

	static boolean same(Object a, Object b) {
		return a instanceof byte[] && b instanceof byte[] ? Arrays.equals((byte[]) a, (byte[]) b) : Objects.equals(a, b);
	}

	static void quote(StringBuilder out, String s) {
		out.append('"');
		for (char c : s.toCharArray()) {
			if (c == '"' || c == '\\')
				out.append('\\').append(c);
			else if (c < 0x20 || c == 0x7f)
				out.append(String.format("\\u%04x", (int) c));
			else
				out.append(c);
		}
		out.append('"');
	}

	/** The fewest digits, 15 at least to look for, that read back exactly; written as C's %g does. */
	static String shortest(double d) {
		if (d == 0)
			return 1 / d < 0 ? "-0.0" : "0";
		BigDecimal exact = new BigDecimal(d), r = exact;
		for (int p = Math.abs(d) < Double.MIN_NORMAL ? 1 : 15; p <= 17; p++) {
			r = exact.round(new MathContext(p, RoundingMode.HALF_EVEN));
			if (r.doubleValue() == d)
				break;
		}
		r = r.stripTrailingZeros();
		int exponent = r.precision() - r.scale() - 1;
		if (exponent >= -4 && exponent < 15)
			return r.toPlainString();
		String digits = r.unscaledValue().abs().toString();
		return (d < 0 ? "-" : "") + digits.charAt(0) + (digits.length() > 1 ? "." + digits.substring(1) : "") + "e"
			+ (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
	}

	static byte[] bufferBytes(ByteBuffer b) {
		ByteBuffer copy = b.duplicate();
		byte[] bytes = new byte[copy.remaining()];
		copy.get(bytes);
		return bytes;
	}

	static void json(StringBuilder out, Object v, Type type, int version) throws Exception {
		if (v == null) {
			out.append("null");
		} else if (v instanceof Collection) {
			String comma = "[";
			for (Object element : (Collection<?>) v) {
				out.append(comma);
				json(out, element, type.arrayElementType().get(), version);
				comma = ",";
			}
			out.append(comma.equals("[") ? "[]" : "]");
		} else if (v instanceof Message) {
			json(out, (Message) v, (Schema) type, version);
		} else if (v instanceof String) {
			quote(out, (String) v);
		} else if (v instanceof Double) {
			double d = (Double) v;
			out.append(Double.isNaN(d) ? "\"NaN\"" : Double.isInfinite(d) ? (d > 0 ? "\"Infinity\"" : "\"-Infinity\"") : shortest(d));
		} else if (v instanceof Uuid) {
			quote(out, v.toString());
		} else if (v instanceof Number || v instanceof Boolean) {
			out.append(v);
		} else {
			byte[] b = v instanceof byte[] ? (byte[]) v : bufferBytes(v instanceof ByteBuffer ? (ByteBuffer) v
				: (ByteBuffer) v.getClass().getMethod("buffer").invoke(v));
			quote(out, Base64.getEncoder().encodeToString(b));
		}
	}

	static void json(StringBuilder out, Message m, Schema schema, int version) throws Exception {
		Message defaults = fresh(m.getClass());
		String comma = "{";
		for (Slot s : slots(m.getClass(), schema)) {
			Object v = s.field.get(m);
			if (s.tag >= 0 && same(v, s.field.get(defaults)))
				continue;
			out.append(comma);
			quote(out, s.field.getName());
			out.append(':');
			json(out, v, s.type, version);
			comma = ",";
		}
		if (flexible(schema) && !m.unknownTaggedFields().isEmpty()) {
			out.append(comma).append("\"_unknownTaggedFields\":[");
			String between = "";
			for (RawTaggedField f : m.unknownTaggedFields()) {
				out.append(between).append("{\"tag\":").append(f.tag()).append(",\"hex\":\"").append(HexFormat.of().formatHex(f.data())).append("\"}");
				between = ",";
			}
			out.append(']');
			comma = ",";
		}
		out.append(comma.equals("{") ? "{}" : "}");
	}

	// ---- the two modes ----

	static boolean anyNullableContainer(Class<?> cls, Schema schema, int version) throws Exception {
		Message m = fill(cls, schema, Feature.FULL, version);
		for (Slot s : slots(cls, schema)) {
			boolean array = Collection.class.isAssignableFrom(s.field.getType());
			if ((array || s.type instanceof Schema) && nullable(m, s, version))
				return true;
			Type inner = array ? s.type.arrayElementType().get() : s.type;
			if (inner instanceof Schema && anyNullableContainer(array ? elementClass(s.field) : s.field.getType(), (Schema) inner, version))
				return true;
		}
		return false;
	}

	static void emit(PrintStream out, Kind k, Schema schema, int version, Feature feature) throws Exception {
		Message m = fill(k.cls, schema, feature, version);
		int key = k.type.equals("data") ? -1 : ((ApiMessage) m).apiKey();
		StringBuilder json = new StringBuilder();
		json(json, m, schema, version);
		out.println(key + "\t" + k.name + "\t" + k.type + "\t" + version + "\t" + feature + "\t"
			+ HexFormat.of().formatHex(bytes(m, version)) + "\t" + json);
	}

	static void make(PrintStream out, long seed, int count) throws Exception {
		for (Kind k : kinds()) {
			random = new Random(seed ^ k.cls.getSimpleName().hashCode());
			Message m = fresh(k.cls);
			for (int version = m.lowestSupportedVersion(); version <= m.highestSupportedVersion(); version++) {
				Schema schema = schema(k.cls, version);
				emit(out, k, schema, version, Feature.FULL);
				emit(out, k, schema, version, Feature.NULLS);
				if (anyNullableContainer(k.cls, schema, version))
					emit(out, k, schema, version, Feature.NULL_CONTAINERS);
				for (int i = 0; i < count; i++)
					emit(out, k, schema, version, Feature.ANY);
			}
		}
	}

	static String read(String name, String type, int version, String hex) throws Exception {
		Class<?> cls = kind(type.equals("data") ? name : name + type.substring(0, 1).toUpperCase() + type.substring(1)).cls;
		Message m = fresh(cls);
		ByteBuffer buffer = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
		StringBuilder json = new StringBuilder();
		m.read(new ByteBufferAccessor(buffer), (short) version);
		if (buffer.hasRemaining())
			return "! " + buffer.remaining() + " bytes left";
		json(json, m, schema(cls, version), version);
		return json.toString();
	}

	public static void main(String[] args) throws Exception {
		PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
		if (args.length == 3 && args[0].equals("make")) {
			make(out, Long.parseLong(args[1]), Integer.parseInt(args[2]));
		} else if (args.length == 1 && args[0].equals("read")) {
			BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
			for (String line = in.readLine(); line != null; line = in.readLine()) {
				String[] f = line.split("\t", -1);
				String got;
				try {
					got = read(f[0], f[1], Integer.parseInt(f[2]), f[3]);
				} catch (RuntimeException e) {
					got = "! " + e;
				}
				out.println(f[0] + "\t" + f[1] + "\t" + f[2] + "\t" + got);
			}
		} else {
			System.err.println("usage: Messages.java make SEED COUNT | read");
			System.exit(2);
		}
		out.flush();
	}
}
