-- Every Fetch is answered NOT_LEADER_OR_FOLLOWER for a while, and metadata goes on naming the same leader.
scenario {
  name = "metadata/not-leader-storm",
  claim = "While an error repeats, a client asks in peace.",
  see = "M-02", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 50 })
local c = lib.consumer(t, { args = { max_messages = 50 } })
local storm = rule("storm", "Fetch topic=orders count=20 -> error NOT_LEADER_OR_FOLLOWER")
timeline(function()
  c:start()
  await(storm:fired(3), "8s")
  sleep("1500ms")
end)
must(metadata.no_storm(c, 20))
