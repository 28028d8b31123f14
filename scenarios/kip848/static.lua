-- A static member stops and comes back.
scenario {
  name = "kip848/static",
  claim = "A static member leaves with epoch -2, and when it is back it goes on where it was.",
  see = "K-06; KIP-848, KIP-345", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 40 })
local c = lib.member848(t, { args = { group_instance_id = "one" } })
lib.beats()
timeline(function()
  c:start()
  await(c:reported("record_data", 40), "20s")
  sleep("500ms")
  c:stop()
  await(c:exited(), "15s")
  c:start()
  await(c:reported("partitions_assigned", 2), "20s")
  c:stop()
  await(c:exited(), "15s")
end)
must(kip848.leaves("readers"))
must(read.once(c, t))
