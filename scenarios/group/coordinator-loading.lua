-- Every request of the group can find its coordinator loading. To FindCoordinator it is not available; to SyncGroup
-- a broker says REBALANCE_IN_PROGRESS, because the rebalance is lost with the state.
scenario {
  name = "group/coordinator-loading",
  claim = "While the coordinator loads, a member asks again and gets on.",
  see = "G-01", timeout = "40s",
  matrix = { api = { "FindCoordinator", "JoinGroup", "SyncGroup", "OffsetFetch" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 100 })
local c = lib.consumer(t)
local says = { FindCoordinator = "COORDINATOR_NOT_AVAILABLE", SyncGroup = "REBALANCE_IN_PROGRESS" }
local loading = rule("loading", case.api .. " count=2 -> error " .. (says[case.api] or "COORDINATOR_LOAD_IN_PROGRESS"))
timeline(function()
  c:start()
  await(loading:fired(2), "15s")
  await(c:reported("record_data", 100), "18s")
  sleep("700ms")
end)
must(read.everything(c, t))
must(group.one_join("readers"))
