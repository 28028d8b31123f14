-- One broker's metadata stays behind: it names the leader of before, under the epoch of before.
scenario {
  name = "metadata/older-epoch",
  claim = "Metadata with an older leader epoch than is known changes nothing.",
  see = "M-04; KIP-320", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 1, replication = 2, records = 50 })
local c = lib.consumer(t, { args = { max_messages = 350 }, config = { ["metadata.max.age.ms"] = 500 } })
local p = lib.producer(t, { args = { max_messages = 300, throughput = 100 } })
timeline(function()
  c:start()
  await(c:reported("record_data", 50), "15s")
  p:start()
  await(t:has(100), "15s")
  event "metadata-stale broker=1 for=2s"
  event "leader-move topic=orders partition=0 to=2"
  await(p:exited(0), "15s")
  await(c:exited(0), "15s")
end)
must(fetch.epoch_never_back(c))
must(read.everything(c, t))
must(read.once(c, t))
must(delivery.no_loss(p, t))
must(metadata.no_storm(c, 20))
