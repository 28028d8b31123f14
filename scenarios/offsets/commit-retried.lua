-- Commits fail for the moment.
scenario {
  name = "offsets/commit-retried",
  claim = "A commit that fails for the moment is tried again, and never goes back.",
  see = "G-01, G-02", timeout = "40s",
  matrix = { error = { "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local a = lib.consumer(t, { name = "a", args = { max_messages = 100 }, config = { ["max.poll.records"] = 20 } })
local b = lib.consumer(t, { name = "b", args = { max_messages = 100 } })
local failed = rule("failed", "OffsetCommit group=readers client=a nth=1 -> error " .. case.error)
timeline(function()
  a:start()
  await(failed:fired(), "10s")
  await(a:exited(), "15s")
  b:start()
  await(b:exited(0), "15s")
end)
must(read.everything())
