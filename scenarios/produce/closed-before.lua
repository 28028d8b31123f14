-- The third Produce request is read and not worked, and the connection closed: everything in flight comes back.
scenario {
  name = "produce/closed-before",
  claim = "A connection that ends with several requests in flight costs neither records nor their order.",
  see = "P-02", timeout = "40s",
  matrix = { idempotent = { true, false } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = {
  ["enable.idempotence"] = case.idempotent, ["max.in.flight.requests.per.connection"] = case.idempotent and 5 or 1 } })
local closed = rule("closed", "Produce topic=orders nth=3 -> close before")
timeline(function()
  p:start()
  await(closed:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
