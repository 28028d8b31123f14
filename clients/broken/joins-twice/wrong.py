"""A wrong member: it sends JoinGroup a second time while the first is open, on a connection of its own."""
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def call(self, api, body, limit_s=raw_consumer.CALL_LIMIT_S):
        if api != wire.JOIN_GROUP or not self.member_id:
            return super().call(api, body, limit_s)
        other = wire.Connection(self.coordinator.socket.getpeername(), self.config["client.id"])
        other.send(api, body)
        try:
            return super().call(api, body, limit_s)
        finally:
            other.poll(1)
            other.close()
