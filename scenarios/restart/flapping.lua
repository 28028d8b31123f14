-- The leader moves back and forth, ten times a second.
scenario {
  name = "restart/flapping",
  claim = "While leaders flap a producer loses nothing, keeps the order and asks in peace; when they rest it gets on.",
  see = "R-08", timeout = "45s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1 })
local p = lib.idempotent(t, { args = { max_messages = 500, throughput = 150 } })
timeline(function()
  p:start()
  await(t:has(30), "15s")
  for i = 1, 20 do
    event("leader-move topic=orders partition=0 to=" .. i % 3 + 1)
    sleep("100ms")
  end
  await(p:exited(0), "20s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
must(metadata.no_storm(p, 40))
