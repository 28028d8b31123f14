-- One KAFKA_STORAGE_ERROR, and metadata that does not change. Asking for it must come to an end.
scenario {
  name = "metadata/refresh-ends",
  claim = "After one error metadata is asked for once or twice, not for ever.",
  see = "M-03", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 400, throughput = 150 } })
local once = rule("once", "Produce topic=orders nth=3 -> error KAFKA_STORAGE_ERROR")
timeline(function()
  p:start()
  await(once:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(metadata.asked_after_error(p))
must(metadata.no_storm(p, 5))
