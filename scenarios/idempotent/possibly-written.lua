-- The third request is lost before the work; the next answer says NOT_ENOUGH_REPLICAS. What follows
-- comes out of sequence for the broker until the gap is filled.
scenario {
  name = "idempotent/possibly-written",
  claim = "A gap that a lost request left is filled in order; no record is lost for it.",
  see = "Q-03", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { config = { ["max.in.flight.requests.per.connection"] = 5 } })
local gone = rule("gone", "Produce topic=orders nth=3 -> close before")
local refused = rule("refused", "Produce topic=orders nth=4 -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(gone:fired(), "10s")
  await(refused:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
