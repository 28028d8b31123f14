-- One bit of a value flips on its way: the batch's checksum says so. Values are long, so that the bit is in a value
-- whatever the version of Fetch. The consumer has read before, and may ask again.
scenario {
  name = "fetch/flipped-bit",
  claim = "A value with a flipped bit is not given: the CRC of its batch is checked.",
  see = "F-09; check.crcs", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 3 })
local long = string.rep("7", 150)
local p = lib.producer(t, { args = { max_messages = 20, throughput = 10, value_prefix = long }, config = { ["batch.size"] = 512 } })
local c = lib.consumer(t, { args = { max_messages = 23 }, config = { ["check.crcs"] = true, ["fetch.max.wait.ms"] = 3000 } })
local flipped = rule("flipped", "Fetch topic=orders nth=2..6 -> flip 200")
timeline(function()
  c:start()
  await(c:reported("record_data", 3), "10s")
  p:start()
  await(flipped:fired(), "10s")
  await(p:exited(0), "10s")
  await(any(c:exited(), c:reported("record_data", 23)), "12s")
end)
must(read.consistent(c, t))
