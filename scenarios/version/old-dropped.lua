-- The brokers have dropped old versions that once were everybody's lowest.
scenario {
  name = "version/old-dropped",
  claim = "A client does with the new versions alone: nothing that it could do needs the old ones.",
  see = "V-05; KIP-896", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1, advertise = { Produce = "3-12", Fetch = "4-17", JoinGroup = "2-9", FindCoordinator = "1-6",
  SyncGroup = "1-5", Heartbeat = "1-4", OffsetCommit = "2-9", OffsetFetch = "1-9", ListOffsets = "1-10", Metadata = "1-13" } }
  :topic("orders", { partitions = 2 })
local p = lib.idempotent(t, { args = { max_messages = 100 } })
local c = lib.consumer(t, { args = { max_messages = 100 } })
timeline(function()
  p:start()
  c:start()
  await(all(p:exited(0), c:exited(0)), "15s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(read.everything(c, t))
