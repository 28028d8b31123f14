"""A wrong transactional program: whatever EndTxn is answered, or if it is not, the transaction ended as it wanted."""
import raw_transactional
import wire


class Transactional(raw_transactional.Transactional):
    def heeds(self, code):
        return False

    def judge(self, lane, batch, code, base_offset):
        if code in raw_transactional.FENCED:
            self.succeed(lane, batch, lane.last_offset + 1)
        else:
            super().judge(lane, batch, code, base_offset)

    def end(self, commit):
        try:
            body = wire.string(self.config["transactional.id"]) + self.identity() + wire.i8(int(commit))
            self.connect().call(wire.END_TXN, body, 5)
        except wire.Broken:
            self.drop_coordinator()
