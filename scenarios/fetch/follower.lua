-- The leader names a follower of the consumer's rack to read from. Then that one fails, or says that it does not lead, or
-- that the position is not in its log; or leaders come and go meanwhile.
scenario {
  name = "fetch/follower",
  claim = "A follower is read from while the leader names it; when it fails reading goes on at the leader, where it was.",
  see = "M-09, M-10, M-11; KIP-392", timeout = "40s",
  matrix = { what = { "works", "NOT_LEADER_OR_FOLLOWER", "OFFSET_OUT_OF_RANGE", "KAFKA_STORAGE_ERROR", "dies", "leader-moves" } },
}
local lib = use("../_subjects")
local k = cluster { brokers = 3, config = { ["broker.rack"] = "a,b,c",
  ["replica.selector.class"] = "org.apache.kafka.common.replica.RackAwareReplicaSelector" } }
local t = k:topic("orders", { partitions = 1, leader = 1, records = 100 })
local c = lib.consumer(t, { config = { ["client.rack"] = "b", ["metadata.max.age.ms"] = 60000 } })
local p = lib.producer(t, { args = { max_messages = 200, throughput = 100 } })
-- Who does not know of followers never asks one.
if case.what:match("^[A-Z_]+$") then
  rule("failed", "Fetch broker=2 topic=orders nth=3..12 -> error " .. case.what, { optional = true })
end
timeline(function()
  c:start()
  await(c:reported("record_data", 100), "15s")
  p:start()
  await(t:has(150), "10s")
  if case.what == "dies" then event "broker-down broker=2" end
  for n = 1, case.what == "leader-moves" and 4 or 0 do
    event("leader-move topic=orders partition=0 to=" .. (n % 2 == 1 and 3 or 1))
    await(t:has(150 + n * 30), "10s")
  end
  await(p:exited(0), "15s")
  await(t:read(300), "15s")
end)
should(fetch.follower_as_named(c))
must(offsets.looked_up_once(c))
must(read.everything(c, t))
if case.what ~= "dies" then must(read.once(c, t)) end -- it may have coordinated the group
