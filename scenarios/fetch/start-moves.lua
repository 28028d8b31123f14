-- Retention takes the beginning of the log while a consumer is on its way through it.
scenario {
  name = "fetch/start-moves",
  claim = "When the position is below the log's start, the reset policy says where to go on, and nothing else is left out.",
  see = "O-04", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 400 })
local c = lib.consumer(t, { config = { ["max.partition.fetch.bytes"] = 1000, ["fetch.max.bytes"] = 1000 } })
local gate = rule("gate", "Fetch topic=orders nth=3 -> hold gate request")
timeline(function()
  c:start()
  await(gate:held(), "15s")
  event "log-start-move topic=orders partition=0 offset=250"
  gate:release()
  await(c:reported("record_data", 200), "18s")
  sleep("300ms")
end)
must(read.consistent(c, t))
must(read.no_step_back(c, t))
must(read.no_skip(c, t))
