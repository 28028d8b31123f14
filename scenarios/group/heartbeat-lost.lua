-- The answer to one heartbeat is lost with its connection.
scenario {
  name = "group/heartbeat-lost",
  claim = "A heartbeat whose answer is lost does not cost the membership.",
  see = "G-15", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 200, throughput = 120 } })
local c = lib.consumer(t, { args = { max_messages = 200 } })
local lost = rule("lost", "Heartbeat group=readers nth=2 -> close after")
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(lost:fired(), "15s")
  await(c:exited(0), "20s")
end)
must(read.everything(c, t))
must(read.no_skip(c, t))
must(group.heartbeats("readers"))
