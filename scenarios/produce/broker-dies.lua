-- The leader dies and does not come back; another replica leads.
scenario {
  name = "produce/broker-dies",
  claim = "When a broker dies its partitions are written on at their new leaders.",
  see = "M-01", timeout = "40s",
  matrix = { idempotent = { true, false } },
}
local lib = use("../_subjects")
local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 1, leader = 2 })
local p = lib.producer(t, { args = { throughput = 200 }, config = {
  ["enable.idempotence"] = case.idempotent, ["max.in.flight.requests.per.connection"] = 1 } })
timeline(function()
  p:start()
  await(t:has(80), "15s")
  event "broker-down broker=2"
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
local once = case.idempotent and must or info
once(delivery.no_duplicates(p, t))
