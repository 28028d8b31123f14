-- Now and then a connection ends in place of an answer. The work is done.
scenario {
  name = "any/lost-answers",
  claim = "A program goes on when answers are lost with their connections.",
  see = "C-04", timeout = "300s",
}
cluster { brokers = 3, auto_create = true, default_partitions = 3 }
client("it", { speaks = "none" })
rule("lost", "Produce,Fetch,Metadata,FindCoordinator,OffsetCommit,Heartbeat every=3 -> close after")
