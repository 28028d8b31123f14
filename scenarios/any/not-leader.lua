-- Now and then the broker that was asked is not the leader.
scenario {
  name = "any/not-leader",
  claim = "A program goes on when leaders seem to move.",
  see = "M-01", timeout = "300s",
}
cluster { brokers = 3, auto_create = true, default_partitions = 3 }
client("it", { speaks = "none" })
rule("moved", "Produce,Fetch every=9 -> error NOT_LEADER_OR_FOLLOWER", { optional = true })
