-- One bit of a value flips on its way: the batch's checksum says so. Values are long, so that the bit is in a value
-- whatever the version of Fetch. The consumer may ask again.
scenario {
  name = "fetch/flipped-bit",
  claim = "A value with a flipped bit is not given: the CRC of its batch is checked.",
  see = "F-09; check.crcs", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local long = string.rep("7", 150)
local p = lib.producer(t, { args = { max_messages = 20, throughput = 10, value_prefix = long }, config = { ["batch.size"] = 512 } })
local c = lib.consumer(t, { args = { max_messages = 20 }, config = { ["check.crcs"] = true } })
local flipped = rule("flipped", "Fetch topic=orders nth=1..3 -> flip 200")
timeline(function()
  p:start()
  await(t:has(3), "10s")
  c:start()
  await(flipped:fired(), "10s")
  await(p:exited(0), "10s")
  await(any(c:exited(), c:reported("record_data", 20)), "5s")
end)
must(read.consistent(c, t))
