-- One Fetch fails with an error that passes. The position stays where it was.
scenario {
  name = "fetch/retriable-errors",
  claim = "A transient error of Fetch moves no position.",
  see = "O-05", timeout = "40s",
  matrix = { error = { "NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION", "KAFKA_STORAGE_ERROR", "REPLICA_NOT_AVAILABLE",
    "UNKNOWN_SERVER_ERROR" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local c = lib.consumer(t, { args = { max_messages = 200 }, config = { ["max.partition.fetch.bytes"] = 2000, ["fetch.max.bytes"] = 2000 } })
local told = case.error == "UNKNOWN_SERVER_ERROR" -- is not retriable by Kafka's table: the application may be told, and end
local failed = rule("failed", "Fetch topic=orders nth=2 -> error " .. case.error)
timeline(function()
  c:start()
  await(failed:fired(), "10s")
  await(told and c:exited() or c:exited(0), "18s")
end)
if not told then must(read.everything(c, t)) end
must(read.once(c, t))
must(read.no_skip(c, t))
must(read.no_step_back(c, t))
