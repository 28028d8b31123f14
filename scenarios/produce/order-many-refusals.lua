-- Every eighth request is refused before it is written, and records keep coming while the client waits to send it again.
-- One request in flight is the promise that nothing overtakes it.
scenario {
  name = "produce/order-many-refusals",
  claim = "With one request in flight nothing overtakes a batch that waits to be sent again.",
  see = "P-01; max.in.flight.requests.per.connection", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 150, throughput = 200 },
  config = { ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = 1, ["batch.size"] = 64 } })
local refused = rule("refused", "Produce topic=orders every=8 -> error NOT_ENOUGH_REPLICAS before")
timeline(function()
  p:start()
  await(refused:fired(3), "20s")
  await(p:exited(0), "20s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
