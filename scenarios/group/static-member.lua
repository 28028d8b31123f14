-- A static member goes and comes back within its session time-out: nobody else is disturbed.
scenario {
  name = "group/static-member",
  claim = "A static member does not leave when it closes, and has its partitions again when it comes back.",
  see = "KIP-345", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 40 })
local c = lib.consumer(t, { args = { group_instance_id = "one", session_timeout = 10000 } })
timeline(function()
  c:start()
  await(c:reported("record_data", 40), "20s")
  c:stop()
  await(c:exited(), "15s")
  c:start()
  await(c:reported("partitions_assigned", 2), "15s")
end)
must(group.leaves("readers"))
must(group.one_owner("readers"))
