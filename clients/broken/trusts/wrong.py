"""A wrong leader of a cooperative group: whatever a member says that it owns it goes on to have, whoever says so, too."""
import raw_cooperative


class Cooperative(raw_cooperative.Consumer):
    def settle(self, claims):
        return {member: partitions for member, (partitions, _since) in claims.items()}
