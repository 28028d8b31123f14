-- Coordinators load now and then.
scenario {
  name = "any/coordinator-loading",
  claim = "A program goes on when its coordinators load.",
  see = "G-01", timeout = "300s",
}
cluster { brokers = 3, auto_create = true, default_partitions = 3 }
client("it", { speaks = "none" })
rule("loading", "JoinGroup,OffsetCommit,OffsetFetch,InitProducerId every=4 -> error COORDINATOR_LOAD_IN_PROGRESS", { optional = true })
