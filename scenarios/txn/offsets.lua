-- What is read is written again, and its offsets are committed with the transaction. The group's coordinator has moments.
scenario {
  name = "txn/offsets",
  claim = "Read, write and commit in one transaction: each record comes out once, whatever the coordinators say.",
  see = "T-09; KIP-98, KIP-447", timeout = "40s",
  matrix = { error = { "none", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE" } },
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local source = k:topic("source", { partitions = 1, records = 20 })
local t = k:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { input_topic = source, group_id = "movers", max_messages = 20, abort_every = 3 } })
local c = lib.consumer(t, { config = { ["isolation.level"] = "read_committed" } })
if case.error ~= "none" then rule("failed", "TxnOffsetCommit count=2 -> error " .. case.error) end
timeline(function()
  x:start()
  await(x:exited(), "20s") -- an application that was told may have aborted, and done it again
  c:start()
  await(c:reported("record_data", 20), "15s")
  sleep("200ms")
end)
must(txn.ended_as_told(x))
must(txn.offsets_with_member(x))
must(read.nothing_aborted(c))
must(read.no_skip(c, t))
