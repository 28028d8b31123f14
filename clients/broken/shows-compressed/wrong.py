"""A wrong consumer: of aborted transactions it leaves out what is not compressed."""
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def batches(self, data, aborted):
        out, at = [], 0
        for next_offset, rows in super().batches(data, aborted):
            size = int.from_bytes(data[at + 8:at + 12], "big")
            base_offset = int.from_bytes(data[at:at + 8], "big")
            _, _, attributes, records = wire.decode_batch(base_offset, data[at + 12:at + 12 + size])
            at += 12 + size
            out.append((next_offset, records if attributes & wire.GZIP and not attributes & wire.CONTROL else rows))
        return out
