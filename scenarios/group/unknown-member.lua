-- The coordinator has forgotten the member.
scenario {
  name = "group/unknown-member",
  claim = "After UNKNOWN_MEMBER_ID a member joins anew, and sends nothing more under the old id.",
  see = "G-06", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 200, throughput = 150 } })
local c = lib.consumer(t)
local forgotten = rule("forgotten", "Heartbeat group=readers nth=2 -> error UNKNOWN_MEMBER_ID")
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(forgotten:fired(), "15s")
  await(c:reported("partitions_assigned", 2), "18s")
  await(p:exited(0), "15s")
  await(c:reported("record_data", 200), "15s")
end)
must(group.fenced_stays_out("readers"))
must(group.one_join("readers"))
must(read.everything(c, t))
