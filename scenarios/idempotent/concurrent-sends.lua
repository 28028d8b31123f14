-- Answers are slow, so that several sends are on their way at once; nothing is lost and nothing fails. Each batch must
-- take sequence numbers of its own: two batches with the same numbers are one for the broker, which keeps the first.
scenario {
  name = "idempotent/concurrent-sends",
  claim = "Batches that are on their way at the same time have different sequence numbers.",
  see = "Q-01; KIP-98", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { args = { max_messages = 60, throughput = 50 }, config = { ["max.in.flight.requests.per.connection"] = 5 } })
rule("slow", "Produce topic=orders count=8 -> delay 100ms after")
timeline(function()
  p:start()
  await(p:exited(0), "20s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(delivery.no_duplicates(p, t))
