-- Every commit is answered late, while others are due.
scenario {
  name = "offsets/late-commits",
  claim = "Commits that overlap never take a group back.",
  see = "O-03", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 200 })
local c = lib.consumer(t, { args = { max_messages = 200 }, config = { ["max.poll.records"] = 20 } })
local again = lib.consumer(t, { name = "again", args = { max_messages = 1 } })
local late = rule("late", "OffsetCommit count=20 -> delay 50ms..250ms before")
timeline(function()
  c:start()
  await(late:fired(), "15s")
  await(c:exited(0), "20s")
  again:start()
  sleep("2s")
  again:stop()
  await(again:exited(), "10s")
end)
must(read.once())
must(read.everything(c, t))
