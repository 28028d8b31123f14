-- acks=0: no answer is due, and waiting for one would stop everything.
scenario {
  name = "connect/no-acks",
  claim = "With acks=0 a client does not wait for answers, and all that it sends arrives.",
  see = "C-13", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { acks = 0 }, config = { acks = "0", ["enable.idempotence"] = false } })
timeline(function()
  p:start()
  await(p:exited(0), "18s")
  await(t:has(300), "3s")
end)
must(delivery.all_answered(p, t))
must(delivery.no_duplicates(p, t))
must(order.per_partition(p, t))
