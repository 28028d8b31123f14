// Kafka's own classes (kafka-clients and kafka-storage 4.4.0) as the oracle for record batches, message
// sets, codecs and the broker's judgement. tests/oracle/records-both-ways compiles and runs it; hex lines
// on stdin and stdout, as tests/oracle/tool_records.c.
//
//   Records dump                     each line's canonical text, then "end"
//   Records make SEED COUNT          COUNT random blobs of records, as hex
//   Records validate create|append   what a broker answers each line: its error code
//   Records fixtures                 the fixtures: NAME HEX a line
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.common.utils.internals.ByteBufferOutputStream;
import org.apache.kafka.common.utils.internals.PrimitiveRef;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public final class Records {
    static final HexFormat HEX = HexFormat.of();
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

    // --- reading ---

    // Long ones as "xFIRST16...LENGTH:CRC32C".
    static String hex(byte[] bytes) {
        if (bytes == null)
            return "null";
        if (bytes.length <= 4096)
            return "x" + HEX.formatHex(bytes);
        CRC32C sum = new CRC32C();
        sum.update(bytes);
        return "x" + HEX.formatHex(bytes, 0, 16) + "..." + bytes.length + ":" + Long.toHexString(sum.getValue());
    }

    static String hex(ByteBuffer b) {
        if (b == null)
            return "null";
        byte[] bytes = new byte[b.remaining()];
        b.duplicate().get(bytes);
        return hex(bytes);
    }

    static String typeName(RecordBatch b) {
        return b.magic() == 0 ? "NoTimestampType" : b.timestampType().name;
    }

    static void putBatch(StringBuilder out, MutableRecordBatch b) {
        int codec = b.compressionType().id;
        out.append("batch magic=").append(b.magic()).append(" last=").append(b.lastOffset()).append(" codec=").append(CODECS[codec])
            .append(" timestampType=").append(typeName(b)).append(" maxTimestamp=").append(b.maxTimestamp());
        if (b.magic() == 2) {
            out.append(" base=").append(b.baseOffset()).append(" leaderEpoch=").append(b.partitionLeaderEpoch())
                .append(" baseTimestamp=").append(((DefaultRecordBatch) b).baseTimestamp()).append(" producerId=").append(b.producerId())
                .append(" producerEpoch=").append(b.producerEpoch()).append(" baseSequence=").append(b.baseSequence())
                .append(" count=").append(b.countOrNull()).append(" transactional=").append(b.isTransactional() ? 1 : 0)
                .append(" control=").append(b.isControlBatch() ? 1 : 0);
            if (b.deleteHorizonMs().isPresent())
                out.append(" deleteHorizon=").append(b.deleteHorizonMs().getAsLong());
        }
        out.append(" size=").append(b.sizeInBytes()).append(" crc=").append(b.isValid() ? "ok" : "wrong").append("\n");
    }

    static String control(Record r) {
        try {
            ByteBuffer key = r.key().duplicate();
            short version = key.getShort();
            short type = key.getShort();
            if (version < 0)
                return "";
            if (type > 1 || type < 0)
                return " control=" + type + ":-1";
            return " control=" + type + ":" + EndTransactionMarker.deserialize(r).coordinatorEpoch();
        } catch (RuntimeException e) {
            return "";
        }
    }

    static boolean crcOk(Record r) {
        try {
            r.ensureValid();
            return true;
        } catch (RuntimeException e) {
            return false;
        }
    }

    static void putRecord(StringBuilder out, RecordBatch b, Record r) {
        out.append("  offset=").append(r.offset()).append(" timestamp=").append(r.timestamp()).append(" sequence=").append(r.sequence());
        if (b.isControlBatch())
            out.append(control(r));
        out.append(" key=").append(hex(r.key())).append(" value=").append(hex(r.value()));
        for (Header h : r.headers())
            out.append(" header ").append(hex(h.key().getBytes(StandardCharsets.UTF_8))).append("=").append(hex(h.value()));
        if (b.magic() < 2 && !crcOk(r))
            out.append(" crc=wrong");
        out.append("\n");
    }

    static String dump(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        int read = 0;
        try {
            for (MutableRecordBatch b : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
                putBatch(out, b);
                for (Record r : b) {
                    StringBuilder line = new StringBuilder();
                    putRecord(line, b, r);
                    out.append(line);
                }
                read += b.sizeInBytes();
            }
            if (read < bytes.length)
                out.append("partial ").append(bytes.length - read).append("\n");
        } catch (RuntimeException | Error e) {
            if (System.getenv("WHY") != null)
                System.err.println(e);
            out.append("error\n");
        }
        return out.toString();
    }

    // --- making ---

    static final class Options {
        byte magic = 2;
        Compression codec = Compression.NONE;
        TimestampType type = TimestampType.CREATE_TIME;
        long baseOffset, logAppendTime = -1, producerId = -1, deleteHorizon = -1;
        short producerEpoch = -1;
        int baseSequence = -1, leaderEpoch = -1;
        boolean transactional, control;

        MemoryRecordsBuilder builder() {
            return new MemoryRecordsBuilder(new ByteBufferOutputStream(512), magic, codec, magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : type,
                baseOffset, logAppendTime, producerId, producerEpoch, baseSequence, transactional, control, leaderEpoch, Integer.MAX_VALUE,
                deleteHorizon);
        }
    }

    static byte[] bytesOf(MemoryRecords records) {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        return bytes;
    }

    static Compression codec(int id, Random r) {
        boolean plain = r == null || r.nextBoolean();
        switch (id) {
            case 1:
                return plain ? Compression.gzip().build() : Compression.gzip().level(1 + r.nextInt(9)).build();
            case 2:
                return Compression.snappy().build();
            case 3:
                return plain ? Compression.lz4().build() : Compression.lz4().level(1 + r.nextInt(17)).build();
            case 4:
                return plain ? Compression.zstd().build() : Compression.zstd().level(1 + r.nextInt(19)).build();
            default:
                return Compression.NONE;
        }
    }

    static byte[] randomBytes(Random r, boolean nullable) {
        int n = r.nextInt(r.nextInt(200) == 0 ? 100000 : r.nextInt(4) == 0 ? 300 : 20);
        if (nullable && r.nextInt(6) == 0)
            return null;
        byte[] bytes = new byte[n];
        if (r.nextBoolean())
            r.nextBytes(bytes);
        else
            for (int i = 0; i < n; i++)
                bytes[i] = (byte) "kafka record ".charAt(i % 13);
        return bytes;
    }

    static Header[] randomHeaders(Random r) {
        Header[] headers = new Header[r.nextInt(3) == 0 ? r.nextInt(6) : 0];
        for (int i = 0; i < headers.length; i++)
            headers[i] = new RecordHeader(r.nextInt(5) == 0 ? "" : "é" + r.nextInt(1 << 20), randomBytes(r, true));
        return headers;
    }

    static Options randomOptions(Random r) {
        Options o = new Options();
        o.magic = (byte) (r.nextBoolean() ? 2 : r.nextInt(2));
        o.codec = codec(r.nextInt(o.magic == 2 ? 5 : 4), r);
        o.baseOffset = r.nextBoolean() ? 0 : r.nextLong() >>> 12;
        if (o.magic > 0 && r.nextInt(3) == 0) {
            o.type = TimestampType.LOG_APPEND_TIME;
            o.logAppendTime = r.nextLong() >>> 22;
        }
        if (o.magic < 2)
            return o;
        o.leaderEpoch = r.nextInt(1000) - 1;
        if (r.nextBoolean()) {
            o.producerId = r.nextLong() >>> 20;
            o.producerEpoch = (short) r.nextInt(32768);
            o.baseSequence = r.nextInt(4) == 0 ? Integer.MAX_VALUE - r.nextInt(20) : r.nextInt(100000);
            o.transactional = r.nextBoolean();
        }
        if (r.nextInt(5) == 0)
            o.deleteHorizon = r.nextLong() >>> 22;
        return o;
    }

    static byte[] randomMarker(Random r) {
        EndTransactionMarker marker = new EndTransactionMarker(r.nextBoolean() ? ControlRecordType.COMMIT : ControlRecordType.ABORT, r.nextInt(1 << 20));
        return bytesOf(MemoryRecords.withEndTransactionMarker(r.nextLong() >>> 12, r.nextLong() >>> 22, r.nextInt(100), r.nextInt(100),
            (short) r.nextInt(100), marker));
    }

    static byte[] randomBatch(Random r) {
        if (r.nextInt(12) == 0)
            return randomMarker(r);
        Options o = randomOptions(r);
        MemoryRecordsBuilder b = o.builder();
        int count = r.nextInt(r.nextInt(10) == 0 ? 300 : 20) + 1;
        long offset = o.baseOffset;
        for (int i = 0; i < count; i++) {
            long timestamp = r.nextInt(20) == 0 ? -1 : r.nextLong() >>> 22;
            byte[] key = randomBytes(r, true);
            byte[] value = randomBytes(r, true);
            b.appendWithOffset(offset, timestamp, key, value, o.magic == 2 ? randomHeaders(r) : new Header[0]);
            offset += o.magic == 2 && r.nextInt(5) == 0 ? 1 + r.nextInt(500) : 1;
        }
        return bytesOf(b.build());
    }

    static byte[] join(List<byte[]> parts, int cut) {
        ByteBuffer all = ByteBuffer.allocate(parts.stream().mapToInt(p -> p.length).sum());
        parts.forEach(all::put);
        return Arrays.copyOf(all.array(), all.capacity() - cut);
    }

    static byte[] randomBlob(Random r) {
        List<byte[]> parts = new ArrayList<>();
        for (int n = r.nextInt(3); n >= 0; n--)
            parts.add(randomBatch(r));
        return join(parts, r.nextInt(8) == 0 ? r.nextInt(parts.stream().mapToInt(p -> p.length).sum()) : 0);
    }

    // --- fixtures: small, one thing each ---

    static byte[] fixture(Options o, int count) {
        MemoryRecordsBuilder b = o.builder();
        Header[] headers = {new RecordHeader("trace", new byte[] {1, 2, 3}), new RecordHeader("", null), new RecordHeader("empty", new byte[0])};
        for (int i = 0; i < count; i++)
            b.appendWithOffset(o.baseOffset + i, 1700000000000L + i * 1000L, i % 4 == 3 ? null : ("key-" + i).getBytes(),
                i % 5 == 4 ? null : ("value number " + i + " value number " + i).getBytes(), o.magic == 2 && i % 2 == 0 ? headers : new Header[0]);
        return bytesOf(b.build());
    }

    static void put(PrintStream out, String name, byte[] bytes) {
        out.println(name + " " + HEX.formatHex(bytes));
    }

    static void fixtureMatrix(PrintStream out) {
        for (byte magic = 0; magic <= 2; magic++) {
            for (int codec = 0; codec < (magic == 2 ? 5 : 4); codec++) {
                for (TimestampType type : magic == 0 ? List.of(TimestampType.CREATE_TIME) : List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME)) {
                    Options o = new Options();
                    o.magic = magic;
                    o.codec = codec(codec, null);
                    o.type = type;
                    o.logAppendTime = type == TimestampType.LOG_APPEND_TIME ? 1700000099999L : -1;
                    o.baseOffset = 42;
                    put(out, "v" + magic + "-" + CODECS[codec] + (type == TimestampType.LOG_APPEND_TIME ? "-log-append" : ""), fixture(o, 6));
                }
            }
        }
    }

    static byte[] producerBatch(boolean transactional, int sequence) {
        Options o = new Options();
        o.baseOffset = 9000000000L;
        o.producerId = 4000000001L;
        o.producerEpoch = 7;
        o.baseSequence = sequence;
        o.leaderEpoch = 12;
        o.transactional = transactional;
        return fixture(o, 3);
    }

    static byte[] marker(ControlRecordType type) {
        return bytesOf(MemoryRecords.withEndTransactionMarker(77, 1700000000000L, 12, 4000000001L, (short) 7, new EndTransactionMarker(type, 33)));
    }

    static void fixtureOddities(PrintStream out) {
        Options horizon = new Options();
        horizon.deleteHorizon = 1600000000000L;
        put(out, "v2-delete-horizon", fixture(horizon, 3));
        put(out, "v2-idempotent", producerBatch(false, 100));
        put(out, "v2-sequence-wraps", producerBatch(false, Integer.MAX_VALUE - 1));
        put(out, "v2-transactional", producerBatch(true, 0));
        put(out, "v2-commit-marker", marker(ControlRecordType.COMMIT));
        put(out, "v2-abort-marker", marker(ControlRecordType.ABORT));
        put(out, "v2-leader-change", bytesOf(MemoryRecords.withLeaderChangeMessage(5, 1700000000000L, 3, ByteBuffer.allocate(512),
            new LeaderChangeMessage().setLeaderId(1))));
        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, 11, (short) 2, 30, 100, 109, 4, TimestampType.CREATE_TIME, 1700000000000L, false, false);
        put(out, "v2-emptied-by-compaction", empty.array());
        put(out, "v2-two-batches", join(List.of(producerBatch(false, 0), producerBatch(true, 3)), 0));
        put(out, "v2-second-cut-off", join(List.of(producerBatch(false, 0), producerBatch(true, 3)), 9));
        put(out, "v2-large-snappy", large(2));
        put(out, "v2-large-lz4", large(3));
    }

    // More than one block of xerial's (32 KiB) and lz4's (64 KiB) framing, yet few bytes.
    static byte[] large(int codec) {
        Options o = new Options();
        o.codec = codec(codec, null);
        MemoryRecordsBuilder b = o.builder();
        byte[] value = new byte[150000];
        Arrays.fill(value, (byte) 'z');
        b.append(1700000000000L, "k".getBytes(), value);
        return bytesOf(b.build());
    }

    // --- judging ---

    static final LogValidator.MetricsRecorder QUIET = new LogValidator.MetricsRecorder() {
        public void recordInvalidMagic() {}
        public void recordInvalidOffset() {}
        public void recordInvalidSequence() {}
        public void recordInvalidChecksums() {}
        public void recordNoKeyCompactedTopic() {}
    };

    // The checks of UnifiedLog.analyzeAndValidateRecords that are about the batch alone, in its order, then LogValidator.
    static void judge(byte[] bytes, TimestampType topicType) {
        MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
        CompressionType source = CompressionType.NONE;
        for (MutableRecordBatch b : records.batches()) {
            if (b.magic() >= 2 && b.baseOffset() != 0)
                throw Errors.INVALID_RECORD.exception();
            if (!b.isValid())
                throw Errors.CORRUPT_MESSAGE.exception();
            if (b.compressionType() != CompressionType.NONE)
                source = b.compressionType();
        }
        Compression target = codec(source.id, null);
        new LogValidator(records, new TopicPartition("t", 0), Time.SYSTEM, source, target, false, (byte) 2, topicType, Long.MAX_VALUE, Long.MAX_VALUE, 0,
            AppendOrigin.CLIENT).validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), QUIET, BufferSupplier.NO_CACHING);
    }

    static int validate(byte[] bytes, TimestampType topicType) {
        try {
            judge(bytes, topicType);
            return 0;
        } catch (RecordValidationException e) {
            return Errors.forException(e.invalidException()).code();
        } catch (ApiException e) {
            return Errors.forException(e).code();
        } catch (RuntimeException | Error e) {
            if (System.getenv("WHY") != null)
                System.err.println(e);
            return -1;
        }
    }

    interface Line {
        String answer(byte[] bytes);
    }

    static void lines(PrintStream out, Line answer) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in), 1 << 16);
        for (String line = in.readLine(); line != null; line = in.readLine())
            out.println(answer.answer(HEX.parseHex(line)));
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new java.io.BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        switch (args[0]) {
            case "dump":
                lines(out, bytes -> dump(bytes) + "end");
                break;
            case "make":
                Random r = new Random(Long.parseLong(args[1]));
                for (int n = Integer.parseInt(args[2]); n > 0; n--)
                    out.println(HEX.formatHex(randomBlob(r)));
                break;
            case "validate":
                lines(out, bytes -> "" + validate(bytes, args[1].equals("append") ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME));
                break;
            case "fixtures":
                fixtureMatrix(out);
                fixtureOddities(out);
                break;
            default:
                System.exit(2);
        }
        out.flush();
    }
}
