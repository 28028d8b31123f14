"""A wrong producer: when one partition moves it gives up what comes next for the others."""
import raw_producer


class Producer(raw_producer.Producer):
    frightened = ()

    def failed(self, lane, batch, code, why):
        super().failed(lane, batch, code, why)
        self.frightened = [other for other in self.lanes if other is not lane]

    def send_one(self, lane, batch):
        if lane not in self.frightened:
            return super().send_one(lane, batch)
        self.frightened.remove(lane)
        self.give_up(lane.queue.popleft(), "another partition has moved")
        self.fatal = None
        return True
