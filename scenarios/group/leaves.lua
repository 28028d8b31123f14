-- A member closes. It says so, and the group need not wait for its session time-out.
scenario {
  name = "group/leaves",
  claim = "A member that closes leaves the group, and is not heard after it.",
  see = "G-16; KIP-62", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 50 })
local c = lib.consumer(t)
timeline(function()
  c:start()
  await(c:reported("record_data", 50), "20s")
  c:stop()
  await(c:exited(), "15s")
end)
must(group.leaves("readers"))
must(group.quiet_after_leave("readers"))
