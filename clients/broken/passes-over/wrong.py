"""A wrong consumer: what it can't read it passes over."""
import struct

import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def batches(self, data, aborted):
        try:
            return super().batches(data, aborted)
        except wire.Unreadable:
            base_offset, size = struct.unpack_from(">qi", data, 0)
            behind = base_offset + struct.unpack_from(">i", data, 23)[0] + 1
            return [(behind, []), *super().batches(data[12 + size:], aborted)]
