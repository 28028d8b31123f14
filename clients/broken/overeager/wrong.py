"""A wrong member: when its topic gets partitions while its JoinGroup is open it sends another one, on a connection of its own."""
import raw_consumer
import wire


class Consumer(raw_consumer.Consumer):
    def call(self, api, body, limit_s=raw_consumer.CALL_LIMIT_S):
        if api != wire.JOIN_GROUP or not self.member_id:
            return super().call(api, body, limit_s)
        known, other, answer = set(self.cluster.leaders), None, None
        self.coordinator.send(api, body)
        while not answer:
            answer = self.coordinator.poll(0.1)
            self.look_again()
            if not answer and not other and set(self.cluster.leaders) > known:
                other = wire.Connection(self.coordinator.socket.getpeername(), self.config["client.id"])
                other.send(api, body)
        if other:
            other.poll(1)
            other.close()
        return answer
