-- The consumer is there before its topic.
scenario {
  name = "metadata/topic-comes-later",
  claim = "A consumer of a topic that is made later gets its records.",
  see = "M-07", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 1, auto_create = false }
local c = client("c", { speaks = "verifiable-consumer",
  args = { topic = "later", group_id = "readers", reset_policy = "earliest", session_timeout = 6000, max_messages = 40 },
  config = { ["metadata.max.age.ms"] = 500, ["heartbeat.interval.ms"] = 300 } })
local p = client("p", { speaks = "verifiable-producer", args = { topic = "later", max_messages = 40 }, config = { retries = 100 } })
timeline(function()
  c:start()
  await(c:reported("startup_complete"), "15s")
  sleep("500ms")
  event "topic-create topic=later partitions=2"
  p:start()
  await(p:exited(0), "15s")
  await(c:exited(0), "18s")
end)
must(read.everything(c))
must(read.consistent(c))
