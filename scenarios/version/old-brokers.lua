-- Brokers of many years. What a connection was told is what may be used.
scenario {
  name = "version/old-brokers",
  claim = "A client speaks the versions that the broker offers, of whatever release it is.",
  see = "KIP-35, KIP-511, KIP-896", timeout = "40s",
  matrix = { like = { "kafka-0.11.0", "kafka-1.1", "kafka-2.3", "kafka-2.8", "kafka-3.9" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1, like = case.like }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 100 }, config = { ["enable.idempotence"] = false } })
local c = lib.consumer(t, { args = { max_messages = 100 } })
timeline(function()
  p:start()
  await(p:exited(0), "15s")
  c:start()
  await(c:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(read.consistent(c, t))
must(read.everything(c, t))
