-- The answer to SyncGroup is lost with its connection.
scenario {
  name = "group/sync-lost",
  claim = "A SyncGroup whose answer is lost leads back into the group.",
  see = "G-13", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 100 })
local c = lib.consumer(t)
local lost = rule("lost", "SyncGroup nth=1 -> close after")
timeline(function()
  c:start()
  await(lost:fired(), "15s")
  await(c:reported("record_data", 100), "20s")
end)
must(read.everything(c, t))
must(group.one_owner("readers"))
