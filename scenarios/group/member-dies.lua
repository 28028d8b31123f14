-- One of two members is killed. After its session time-out the other has everything.
scenario {
  name = "group/member-dies",
  claim = "When a member dies, the others read what was its.",
  see = "G-03; KIP-62", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 4 })
local a, b = lib.consumer(t, { name = "a" }), lib.consumer(t, { name = "b" })
local p = lib.producer(t, { args = { max_messages = 200, repeating_keys = 40 } })
timeline(function()
  a:start()
  b:start()
  await(members("readers", 2), "20s")
  await(all(a:reported("partitions_assigned"), b:reported("partitions_assigned")), "15s")
  b:kill()
  await(members("readers", 1), "15s")
  p:start()
  await(p:exited(0), "10s")
  await(a:reported("record_data", 200), "15s")
end)
must(group.one_owner("readers"))
must(read.everything())
