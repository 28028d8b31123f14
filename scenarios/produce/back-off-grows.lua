-- The same error seven times: Kafka's clients wait longer each time.
scenario {
  name = "produce/back-off-grows",
  claim = "The pauses between the tries of one batch grow.",
  see = "R-01; KIP-580", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 40 }, config = { ["max.in.flight.requests.per.connection"] = 1 } })
local failed = rule("failed", "Produce topic=orders count=5 -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(failed:fired(5), "15s")
  await(p:exited(0), "15s")
end)
should(produce.backoff_grows(p, t))
must(delivery.no_loss(p, t))
must(delivery.no_error(p, t))
