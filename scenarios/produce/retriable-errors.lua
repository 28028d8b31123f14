-- Every retriable error that Produce can return, before the work.
scenario {
  name = "produce/retriable-errors",
  claim = "A retriable error of Produce is retried after the back-off, and nothing is lost.",
  see = "P-05, P-09; Errors.java", timeout = "40s",
  matrix = { error = { "NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION", "NOT_ENOUGH_REPLICAS", "KAFKA_STORAGE_ERROR",
    "CORRUPT_MESSAGE" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["max.in.flight.requests.per.connection"] = 1 } })
local failed = rule("failed", "Produce topic=orders nth=3 -> error " .. case.error)
timeline(function()
  p:start()
  await(failed:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
local retried = case.error == "CORRUPT_MESSAGE" and should or must -- retried since KIP-467 only
retried(delivery.no_error(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
