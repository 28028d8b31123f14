-- The leader of a partition moves while it is written to.
scenario {
  name = "metadata/leader-moves",
  claim = "When a leader moves, its partition is written on at the new one without loss, duplicate or reorder.",
  see = "M-01", timeout = "40s",
  matrix = { idempotent = { true, false } },
}
local lib = use("../_subjects")
local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 1, leader = 1 })
local p = lib.producer(t, { args = { max_messages = 600, throughput = 600 }, config = {
  ["enable.idempotence"] = case.idempotent, ["max.in.flight.requests.per.connection"] = 1 } })
timeline(function()
  p:start()
  await(t:has(150), "15s")
  event "leader-move topic=orders partition=0 to=2"
  await(t:has(350), "15s")
  event "leader-move topic=orders partition=0 to=3"
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(delivery.no_duplicates(p, t))
must(order.per_partition(p, t))
must(metadata.asked_after_error(p), { optional = true }) -- an answer may name the new leader (KIP-951)
