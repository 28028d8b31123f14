-- Of six partitions one moves. The others have nothing to do with it.
scenario {
  name = "metadata/one-leader-moves",
  claim = "When one partition moves, the others are written to as before.",
  see = "M-12; KIP-951", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 6 })
local p = lib.producer(t, { args = { max_messages = 600, throughput = 300, repeating_keys = 60 },
  config = { ["max.in.flight.requests.per.connection"] = 1 } })
timeline(function()
  p:start()
  await(t:has(100), "15s")
  event "leader-move topic=orders partition=0"
  await(t:has(300), "15s")
  event "leader-move topic=orders partition=3"
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
must(metadata.no_storm(p, 10))
