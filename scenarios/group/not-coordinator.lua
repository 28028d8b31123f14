-- The broker that was asked is not the coordinator any more.
scenario {
  name = "group/not-coordinator",
  claim = "After NOT_COORDINATOR the coordinator is looked for, and the membership goes on.",
  see = "G-02", timeout = "40s",
  matrix = { api = { "JoinGroup", "SyncGroup", "Heartbeat", "OffsetFetch" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 2 }:topic("orders", { partitions = 1, records = 100 })
local c = lib.consumer(t)
local moved = rule("moved", case.api .. " nth=1 -> error NOT_COORDINATOR")
timeline(function()
  c:start()
  await(moved:fired(), "15s")
  await(c:reported("record_data", 100), "18s")
end)
must(read.everything(c, t))
