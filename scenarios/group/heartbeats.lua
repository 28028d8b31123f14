-- Nothing to read for a while, and then much: heartbeats come all the same.
scenario {
  name = "group/heartbeats",
  claim = "Heartbeats come at their interval, whether there are records or not.",
  see = "G-14; KIP-62", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local c = lib.consumer(t)
local p = lib.producer(t, { args = { max_messages = 100 } })
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  sleep("2s")
  p:start()
  await(c:reported("record_data", 100), "15s")
end)
must(group.heartbeats("readers", 1500))
must(read.everything(c, t))
