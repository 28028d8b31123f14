-- Another broker coordinates the group from now on.
scenario {
  name = "offsets/coordinator-moves",
  claim = "When the coordinator moves, commits follow it, and none goes back.",
  see = "G-02", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 300, throughput = 200 } })
local c = lib.consumer(t)
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(c:reported("record_data", 60), "15s")
  event "coordinator-move group=readers to=2"
  await(c:reported("record_data", 150), "15s")
  event "coordinator-move group=readers to=3"
  await(t:read(300), "18s") -- what could not be committed may come again
end)
must(read.everything(c, t))
must(group.one_owner("readers"))
