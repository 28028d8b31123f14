-- A heartbeat is answered ILLEGAL_GENERATION.
scenario {
  name = "group/illegal-generation",
  claim = "After ILLEGAL_GENERATION a member joins again, and sends nothing more with that generation.",
  see = "G-05", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 200, throughput = 150 } })
local c = lib.consumer(t)
local over = rule("over", "Heartbeat group=readers nth=2 -> error ILLEGAL_GENERATION")
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(over:fired(), "15s")
  await(c:reported("partitions_assigned", 2), "18s")
  await(p:exited(0), "15s")
  await(c:reported("record_data", 200), "15s")
end)
must(group.fenced_stays_out("readers"))
must(read.everything(c, t))
