-- Five times the same error, one after the other.
scenario {
  name = "produce/back-off",
  claim = "Between two tries of the same batch lies the back-off.",
  see = "R-01; KIP-580", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["retry.backoff.ms"] = 200, ["max.in.flight.requests.per.connection"] = 1 } })
local failed = rule("failed", "Produce topic=orders count=5 -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(failed:fired(5), "10s")
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
must(produce.backoff(p, t, 200))
