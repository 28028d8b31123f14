-- The broker does not know the member, or its epoch, any more.
scenario {
  name = "kip848/fenced",
  claim = "A fenced member gives up its partitions and joins again with epoch 0 and the same member id.",
  see = "K-02; KIP-848", timeout = "40s",
  matrix = { error = { "FENCED_MEMBER_EPOCH", "UNKNOWN_MEMBER_ID" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local c = lib.member848(t)
local p = lib.producer(t, { args = { max_messages = 150, repeating_keys = 20, throughput = 100 } })
local fenced = rule("fenced", "ConsumerGroupHeartbeat group=readers nth=4 -> error " .. case.error)
lib.beats()
timeline(function()
  c:start()
  await(c:reported("partitions_assigned"), "15s")
  p:start()
  await(fenced:fired(), "15s")
  await(p:exited(0), "15s")
  await(t:read(150), "15s")
end)
must(kip848.joins_again_as_itself("readers"))
must(read.everything(c, t))
