-- The coordinator wants a rebalance: heartbeats say so.
scenario {
  name = "group/rebalance-asked",
  claim = "REBALANCE_IN_PROGRESS leads to one JoinGroup, and reading goes on.",
  see = "G-04", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local p = lib.producer(t, { args = { max_messages = 200, repeating_keys = 20, throughput = 150 } })
local c = lib.consumer(t)
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(c:reported("record_data", 50), "15s")
  event "rebalance group=readers"
  await(t:read(200), "9s") -- what could not be committed may come again
end)
must(group.one_join("readers"))
must(group.one_owner("readers"))
must(read.everything(c, t))
