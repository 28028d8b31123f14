-- As fetch/offset-gaps, but each answer holds one batch alone, so that the batch that reaches beyond its last record,
-- or has none, is all that the client gets. Asking again for the same offset gets the same answer, for ever.
scenario {
  name = "fetch/one-batch-an-answer",
  claim = "An answer whose batch ends in offsets without records moves the position behind that batch.",
  see = "F-02, F-03; KAFKA-5443", timeout = "30s",
  matrix = { what = { "tail", "empty" } },
}
local lib = use("../_subjects")
local behind = { tail = { records = 2, tail = 8 }, empty = { empty = 10 } }
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 1, log = { behind[case.what], { records = 2 } } })
local c = lib.consumer(t, { config = { ["fetch.max.bytes"] = 1 } })
timeline(function()
  c:start()
  await(t:read(case.what == "empty" and 3 or 5), "10s")
  sleep("500ms")
end)
must(read.everything(c, t))
must(read.consistent(c, t))
must(read.once(c, t))
must(fetch.moves_on(c, 5))
