-- The partition moves; the new leader can't say where the old epoch ended, and before it can the partition moves back.
scenario {
  name = "offsets/validation-fails",
  claim = "A position whose validation fails is validated at the next leader, and reading goes on.",
  see = "O-07; KIP-320", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 1, replication = 2 })
local c = lib.consumer(t, { config = { ["metadata.max.age.ms"] = 500 } })
local p = lib.producer(t, { args = { max_messages = 300, throughput = 100 } })
-- Who does not validate is not asked to, and reads on.
local failed = rule("failed", "OffsetForLeaderEpoch client=c broker=2 -> error KAFKA_STORAGE_ERROR", { optional = true })
timeline(function()
  c:start()
  await(c:reported("partitions_assigned"), "15s")
  p:start()
  await(t:read(50), "15s")
  event "leader-move topic=orders partition=0 to=2"
  await(any(failed:fired(), t:read(200)), "15s")
  event "leader-move topic=orders partition=0 to=1"
  await(p:exited(0), "15s")
  await(t:read(300), "15s")
end)
must(offsets.validated_once(c, 2000), { optional = true }) -- without a pause it may be often, until the leader is another one
must(read.once(c, t))
must(read.everything(c, t))
