-- Metadata does not know the topic for two seconds. Records wait; they are not thrown away.
scenario {
  name = "metadata/topic-hidden",
  claim = "A topic that is missing from metadata for a while costs no record.",
  see = "M-06", timeout = "40s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 1 }
local t = c:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { throughput = 100 }, config = { ["metadata.max.age.ms"] = 300 } })
timeline(function()
  p:start()
  await(t:has(60), "15s")
  event "metadata-hide topic=orders for=2s"
  await(p:exited(0), "15s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(metadata.no_storm(p))
