-- The error never ends. The producer must come to an end, and say so once for each record.
scenario {
  name = "produce/never-works",
  claim = "When delivery.timeout.ms is over every record is reported as failed, and none as written.",
  see = "P-10", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 40 }, config = {
  ["delivery.timeout.ms"] = 4000, ["request.timeout.ms"] = 2000, retries = 8 } })
local failed = rule("failed", "Produce topic=orders -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(failed:fired(3), "10s")
  await(p:exited(), "18s")
end)
must(delivery.all_answered(p, t))
must(produce.backoff(p, t, 100))
