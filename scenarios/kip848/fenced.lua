-- The broker does not know the member, or its epoch, any more.
scenario {
  name = "kip848/fenced",
  claim = "A fenced member gives up its partitions and joins again with epoch 0; with the same member id where that is still known.",
  see = "K-02; KIP-848", timeout = "40s",
  matrix = { error = { "FENCED_MEMBER_EPOCH", "UNKNOWN_MEMBER_ID" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local c = lib.member848(t)
local p = lib.producer(t, { args = { max_messages = 150, repeating_keys = 20, throughput = 100 } })
local known = case.error == "FENCED_MEMBER_EPOCH" -- else the group has really lost the member
local fenced = known and rule("fenced", "ConsumerGroupHeartbeat group=readers nth=4 -> error FENCED_MEMBER_EPOCH")
lib.beats()
timeline(function()
  c:start()
  await(c:reported("partitions_assigned"), "15s")
  p:start()
  if known then
    await(fenced:fired(), "15s")
  else
    await(t:read(30), "15s")
    event "member-fence group=readers"
    await(members("readers", 1), "15s")
  end
  await(p:exited(0), "15s")
  await(t:read(150), "15s")
end)
must(kip848.joins_again_as_itself("readers"))
must(read.everything(c, t))
