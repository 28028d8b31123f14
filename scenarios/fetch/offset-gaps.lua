-- A log as compaction leaves it: offsets that no record has, a batch that reaches beyond its last record, a batch
-- without any. What is to be asked for next is what the batch says, not what its last record says.
scenario {
  name = "fetch/offset-gaps",
  claim = "Offsets that no record has are passed over, and reading goes on behind them.",
  see = "F-02, F-03; KAFKA-5443", timeout = "30s",
  matrix = { what = { "gap", "tail", "empty" } },
}
local lib = use("../_subjects")
local behind = { gap = { records = 2, gap = 9 }, tail = { records = 2, tail = 8 }, empty = { empty = 10 } }
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 1, log = { behind[case.what], { records = 2 } } })
local c = lib.consumer(t)
timeline(function()
  c:start()
  await(t:read(case.what == "empty" and 3 or 5), "10s")
  sleep("700ms")
end)
must(read.everything(c, t))
must(read.consistent(c, t))
must(read.once(c, t))
must(fetch.moves_on(c, 5))
