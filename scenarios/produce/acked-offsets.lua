-- The log does not begin at 0, and batches hold several records. Each acknowledgement names the record's own offset.
scenario {
  name = "produce/acked-offsets",
  claim = "The offsets of acknowledgements are where the records are, and rise as they were sent.",
  see = "P-11", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 10, log = { { records = 1, gap = 100 } } })
local p = lib.producer(t, { config = { ["max.in.flight.requests.per.connection"] = 1 } })
local failed = rule("failed", "Produce topic=orders every=4 count=3 -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(failed:fired(2), "10s")
  await(p:exited(0), "15s")
end)
must(delivery.true_offsets(p, t))
must(order.offsets(p, t))
