// Conversions between record formats, which brokers lost with 4.0: kafka-clients and kafka-storage 3.9.1
// as the oracle. Hex lines on stdin and stdout, as tests/oracle/tool_records.c.
//
//   RecordsOld down MAGIC   each line down-converted from offset 0 on, or "error"
//   RecordsOld up           each line as a broker's log keeps it: magic 2, from offset 1000, leader epoch 5
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.BaseRecords;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;

public final class RecordsOld {
    static final HexFormat HEX = HexFormat.of();

    static final LogValidator.MetricsRecorder QUIET = new LogValidator.MetricsRecorder() {
        public void recordInvalidMagic() {}
        public void recordInvalidOffset() {}
        public void recordInvalidSequence() {}
        public void recordInvalidChecksums() {}
        public void recordNoKeyCompactedTopic() {}
    };

    static byte[] bytesOf(BaseRecords records) {
        ByteBuffer buffer = ((MemoryRecords) records).buffer().duplicate();
        byte[] bytes = new byte[records.sizeInBytes()];
        buffer.get(bytes);
        return bytes;
    }

    static Compression codec(CompressionType type) {
        switch (type) {
            case GZIP:
                return Compression.gzip().build();
            case SNAPPY:
                return Compression.snappy().build();
            case LZ4:
                return Compression.lz4().build();
            case ZSTD:
                return Compression.zstd().build();
            default:
                return Compression.NONE;
        }
    }

    static byte[] up(MemoryRecords records) {
        CompressionType source = CompressionType.NONE;
        for (MutableRecordBatch b : records.batches())
            if (b.compressionType() != CompressionType.NONE)
                source = b.compressionType();
        return bytesOf(new LogValidator(records, new TopicPartition("t", 0), Time.SYSTEM, source, codec(source), false, (byte) 2,
            TimestampType.CREATE_TIME, Long.MAX_VALUE, Long.MAX_VALUE, 5, AppendOrigin.CLIENT, MetadataVersion.LATEST_PRODUCTION)
            .validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(1000), QUIET, BufferSupplier.NO_CACHING).validatedRecords);
    }

    static String answer(String[] args, String line) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(HEX.parseHex(line)));
            if (args[0].equals("up"))
                return HEX.formatHex(up(records));
            return HEX.formatHex(bytesOf(records.downConvert(Byte.parseByte(args[1]), 0, Time.SYSTEM).records()));
        } catch (RuntimeException | Error e) {
            if (System.getenv("WHY") != null)
                System.err.println(e);
            return "error";
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new java.io.BufferedOutputStream(System.out, 1 << 16));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in), 1 << 16);
        for (String line = in.readLine(); line != null; line = in.readLine())
            out.println(answer(args, line));
        out.flush();
    }
}
