-- Answers are slow, so that several batches are on their way; one answer is lost.
scenario {
  name = "idempotent/sequences",
  claim = "Sequences are contiguous, and what is sent again is identical.",
  see = "Q-01, Q-05; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local p = lib.idempotent(t, { args = { max_messages = 600 } })
rule("slow", "Produce topic=orders count=3 -> delay 40ms after")
local lost = rule("lost", "Produce topic=orders nth=4 -> close after")
timeline(function()
  p:start()
  await(lost:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
