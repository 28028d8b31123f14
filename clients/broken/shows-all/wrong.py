"""A wrong consumer: control records and what was aborted are given like any other record."""
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def batches(self, data, aborted):
        found, at = [], 0
        while at + 61 <= len(data) and at + 12 + int.from_bytes(data[at + 8:at + 12], "big") <= len(data):
            end = at + 12 + int.from_bytes(data[at + 8:at + 12], "big")
            next_offset, _, _, rows = wire.decode_batch(int.from_bytes(data[at:at + 8], "big"), data[at + 12:end])
            found.append((next_offset, rows))
            at = end
        return found
