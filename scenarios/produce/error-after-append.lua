-- The batch is written and the answer says that it may not be.
scenario {
  name = "produce/error-after-append",
  claim = "An error after the append is retried; with idempotence the records stand once.",
  see = "P-04", timeout = "40s",
  matrix = { error = { "REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS_AFTER_APPEND" }, idempotent = { true, false } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = {
  ["enable.idempotence"] = case.idempotent, ["max.in.flight.requests.per.connection"] = 1 } })
local failed = rule("failed", "Produce topic=orders nth=3 -> error " .. case.error .. " after")
timeline(function()
  p:start()
  await(failed:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
local once = case.idempotent and must or info
once(delivery.no_duplicates(p, t))
