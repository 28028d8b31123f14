-- The partition has no leader at first: LEADER_NOT_AVAILABLE, as right after its creation.
scenario {
  name = "metadata/no-leader-yet",
  claim = "A partition without a leader is waited for.",
  see = "M-07", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 100 } })
local none = rule("none", "Metadata topic=orders count=4 -> error LEADER_NOT_AVAILABLE")
timeline(function()
  p:start()
  await(none:fired(2), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(metadata.no_storm(p))
