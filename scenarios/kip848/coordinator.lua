-- The coordinator loads, is elsewhere, or does not answer.
scenario {
  name = "kip848/coordinator",
  claim = "While the coordinator can't be had a member keeps its partitions and asks again.",
  see = "K-07, G-01, G-02", timeout = "40s",
  matrix = { what = { "error COORDINATOR_LOAD_IN_PROGRESS", "error NOT_COORDINATOR", "close after", "close before" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 100 })
local c = lib.member848(t)
local gone = rule("gone", "ConsumerGroupHeartbeat group=readers every=3 count=3 -> " .. case.what)
lib.beats()
timeline(function()
  c:start()
  await(gone:fired(2), "20s")
  await(c:reported("record_data", 100), "20s")
end)
must(kip848.epoch_as_told("readers"))
must(read.everything(c, t))
must(read.once(c, t))
