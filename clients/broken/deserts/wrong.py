"""A wrong member: it closes without a word if it is dynamic, and leaves if it is static."""
import raw_consumer


class Consumer(raw_consumer.Consumer):
    def close(self):
        self.config["group.instance.id"] = None if self.config["group.instance.id"] else "nobody"
        super().close()
