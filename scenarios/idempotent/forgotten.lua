-- The broker has forgotten the producer, for one partition of three.
scenario {
  name = "idempotent/forgotten",
  claim = "After UNKNOWN_PRODUCER_ID a new producer id or epoch is used, and with it every partition begins at sequence 0.",
  see = "Q-06; KIP-360", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 3 })
local p = lib.idempotent(t, { args = { max_messages = 300, throughput = 300, repeating_keys = 30 } })
local forgotten = rule("forgotten", "Produce topic=orders partition=1 nth=4 -> error UNKNOWN_PRODUCER_ID")
timeline(function()
  p:start()
  await(forgotten:fired(), "10s")
  await(p:exited(), "18s")
end)
must(produce.sequences(p, t))
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(order.per_partition(p, t))
