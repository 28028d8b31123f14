"""A wrong leader of a cooperative group: it divides anew, whoever owns what."""
import raw_cooperative


class Cooperative(raw_cooperative.Consumer):
    def divide(self, members, partitions):
        order = sorted(members, reverse=True)
        return {m: partitions[i::len(order)] for i, m in enumerate(order)}
