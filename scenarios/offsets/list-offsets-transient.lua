-- Where the log begins can't be told just now.
scenario {
  name = "offsets/list-offsets-transient",
  claim = "A transient error of ListOffsets is retried, and the reset lands at the beginning all the same.",
  see = "O-05", timeout = "40s",
  matrix = { error = { "NOT_LEADER_OR_FOLLOWER", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 100 })
local c = lib.consumer(t, { args = { max_messages = 100 } })
local failed = rule("failed", "ListOffsets topic=orders count=2 -> error " .. case.error)
timeline(function()
  c:start()
  await(failed:fired(), "15s")
  await(c:exited(0), "18s")
end)
must(read.everything(c, t))
must(read.once(c, t))
