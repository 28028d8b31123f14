-- The leader moves twice while records are read.
scenario {
  name = "fetch/leader-moves",
  claim = "When a leader moves, reading goes on at the new one where it was.",
  see = "M-01, M-11", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1 })
local p = lib.producer(t, { args = { max_messages = 400, throughput = 400 }, config = { ["max.in.flight.requests.per.connection"] = 1 } })
local c = lib.consumer(t, { args = { max_messages = 400 } })
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(c:reported("record_data", 80), "15s")
  event "leader-move topic=orders partition=0 to=2"
  await(c:reported("record_data", 200), "15s")
  event "leader-move topic=orders partition=0 to=3"
  await(p:exited(0), "15s")
  await(c:exited(0), "15s")
end)
must(read.once(c, t))
must(read.no_skip(c, t))
must(delivery.no_loss(p, t))
