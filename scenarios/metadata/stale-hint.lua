-- The leader moves, and back again. The second time, the broker that leads no more names the leader as it was at first: it has
-- not heard of what came since. Clients whose Fetch is older than hints have none to heed.
scenario {
  name = "metadata/stale-hint",
  claim = "A hint with an older leader epoch than is known changes nothing; a newer one is as good as metadata.",
  see = "M-12; KIP-951, KIP-320", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 1, replication = 2, records = 50 })
local c = client("c", { speaks = "verifiable-consumer",
  args = { topic = t, group_id = "readers", reset_policy = "earliest", session_timeout = 6000, max_messages = 350 },
  config = { ["heartbeat.interval.ms"] = 300, ["retry.backoff.ms"] = 100, ["fetch.max.wait.ms"] = 200 },
  environment = { KTRIAL_RAW = "newest" } }) -- the raw client speaks as new a Fetch where it is told to
local p = lib.producer(t, { args = { max_messages = 300, throughput = 100 } })
rule("stale", "Fetch topic=orders broker=2 version=16..18 error=NOT_LEADER_OR_FOLLOWER,FENCED_LEADER_EPOCH -> set responses[0].partitions[0].currentLeader.leaderEpoch=0",
  { optional = true })
timeline(function()
  c:start()
  await(c:reported("record_data", 50), "15s")
  p:start()
  await(t:has(100), "15s")
  event "leader-move topic=orders partition=0 to=2"
  await(all(t:has(200), c:reported("record_data", 150)), "15s")
  event "leader-move topic=orders partition=0 to=1"
  await(p:exited(0), "15s")
  await(c:exited(0), "15s")
end)
must(fetch.epoch_never_back(c))
must(read.everything(c, t))
must(read.once(c, t))
must(delivery.no_loss(p, t))
must(metadata.no_storm(c, 20))
