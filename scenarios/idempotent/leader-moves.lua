-- The new leader knows the producer's state: sequences go on where they were.
scenario {
  name = "idempotent/leader-moves",
  claim = "Sequences go on where they were when a partition's leader moves.",
  see = "Q-07", timeout = "40s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 2, leader = 1 })
local p = lib.idempotent(t, { args = { max_messages = 500, throughput = 400 } })
timeline(function()
  p:start()
  await(t:has(150), "15s")
  event "leader-move topic=orders partition=0 to=2"
  event "leader-move topic=orders partition=1 to=3"
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
