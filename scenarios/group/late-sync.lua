-- Every answer to SyncGroup comes later than a poll is long. Who joins before it knows the topic joins a second time by itself.
scenario {
  name = "group/late-sync",
  claim = "A member takes the assignment that it is given, however late it comes.",
  see = "KIP-62; docs/findings/kafka-python-lost-assignment.md", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 100 })
local c = lib.consumer(t)
rule("late", "SyncGroup -> delay 1200ms")
timeline(function()
  c:start()
  await(c:reported("record_data", 100), "20s")
end)
must(read.everything(c, t))
must(group.one_owner("readers"))
