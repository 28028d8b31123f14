-- The broker finds one batch too large. It may be split or given up; it is not tried for ever.
scenario {
  name = "produce/too-large",
  claim = "MESSAGE_TOO_LARGE ends in smaller batches or in an error, and never in a loss.",
  see = "P-07; KIP-126", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["max.in.flight.requests.per.connection"] = 1, ["delivery.timeout.ms"] = 10000 } })
local large = rule("large", "Produce topic=orders nth=3 -> error MESSAGE_TOO_LARGE")
timeline(function()
  p:start()
  await(large:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(order.per_partition(p, t))
