-- One of several batches in flight is refused. Those behind it are out of sequence.
scenario {
  name = "idempotent/error-in-window",
  claim = "A refused batch among several in flight is sent again before those behind it.",
  see = "Q-02; KIP-98", timeout = "40s",
  matrix = { error = { "NOT_ENOUGH_REPLICAS", "NOT_LEADER_OR_FOLLOWER" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { config = { ["max.in.flight.requests.per.connection"] = 5 } })
rule("slow", "Produce topic=orders nth=2 -> delay 150ms before")
local refused = rule("refused", "Produce topic=orders nth=3 -> error " .. case.error)
timeline(function()
  p:start()
  await(refused:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
