-- A batch that is larger than max.partition.fetch.bytes comes whole (KIP-74), else nobody could ever read on. What is
-- behind it waits for the next answer.
scenario {
  name = "fetch/large-batch",
  claim = "A batch larger than what was asked for is read whole, and reading goes on behind it.",
  see = "F-11; KIP-74", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 3, log = { { records = 500 }, { records = 2 } } })
local c = lib.consumer(t, { config = { ["max.partition.fetch.bytes"] = 1024 } })
timeline(function()
  c:start()
  await(t:read(505), "10s")
end)
must(read.everything(c, t))
must(read.consistent(c, t))
must(read.once(c, t))
must(read.nothing_passed_over(c, t))
