-- A commit comes with an epoch that has moved on. Clients make it again with the present one, or tell the application that it failed, as
-- Java's CommitFailedException does; in both cases the member stays, and its next commit counts.
scenario {
  name = "kip848/stale-commit",
  claim = "After a commit that was refused for its member epoch the member reads on, and the offsets get committed.",
  see = "K-04; KIP-848", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 120 })
local a = lib.member848(t, { name = "a", args = { max_messages = 60 }, config = { ["max.poll.records"] = 20 } })
local b = lib.member848(t, { name = "b", args = { max_messages = 60 } })
local stale = rule("stale", "OffsetCommit group=readers nth=2 -> error STALE_MEMBER_EPOCH")
lib.beats()
timeline(function()
  a:start()
  await(a:exited(), "15s")
  await(stale:fired(), "1s")
  b:start()
  await(b:reported("record_data", 60), "15s")
  sleep("300ms")
end)
must(read.once())
must(read.everything())
