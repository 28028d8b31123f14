"""A wrong producer: it looks at a connection only while it waits for an answer there. So it writes on one that has ended
meanwhile, and what is written there has failed."""
import time

import raw_producer


class Producer(raw_producer.Producer):
    def take_answers(self):
        every = self.cluster.connections
        asked = {broker: c for broker, c in every.items() if c.waiting}
        self.cluster.connections = dict(asked)
        super().take_answers()
        gone = asked.keys() - self.cluster.connections.keys()
        self.cluster.connections = {broker: c for broker, c in every.items() if broker not in gone}

    def wait(self):
        time.sleep(0.02)

    def failed(self, lane, batch, code, why):
        self.give_up(batch, why)
