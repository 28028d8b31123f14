-- The coordinator's broker dies; another one takes the group.
scenario {
  name = "group/coordinator-dies",
  claim = "When the coordinator dies, members find the new one and go on.",
  see = "G-03", timeout = "45s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1 })
local p = lib.producer(t, { args = { max_messages = 300, throughput = 150 } })
local c = lib.consumer(t, { args = { max_messages = 300 } })
timeline(function()
  event "coordinator-move group=readers to=3"
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(c:reported("record_data", 60), "15s")
  event "broker-down broker=3"
  await(c:exited(0), "25s")
end)
must(read.nothing_passed_over(c, t)) -- what could not be committed comes again and counts
must(metadata.no_storm(c, 20))
