-- A replica that lacks the last fifty records leads, and more than fifty new ones are there before the consumer comes
-- to it: its position is in the log again, but what stands before it is new.
scenario {
  name = "offsets/truncated",
  claim = "A consumer whose position lies behind a cut of the log reads what was written after the cut.",
  see = "O-08; KIP-320", timeout = "40s",
  matrix = { epoch = { "known", "unknown" } },
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 1, replication = 2, records = 200 })
local c = lib.consumer(t, { args = { max_messages = 300 }, config = { ["metadata.max.age.ms"] = 500 } })
local p = lib.producer(t, { args = { max_messages = 100 } })
local gate = rule("gate", "Fetch,OffsetForLeaderEpoch,ListOffsets client=c broker=2 count=1 -> hold gate request")
local cut = case.epoch == "known"
if not cut then -- nobody lost anything; the new leader just does not know the epoch
  rule("unknown", "OffsetForLeaderEpoch client=c -> set topics[*].partitions[*].endOffset=-1", { optional = true })
end
timeline(function()
  c:start()
  await(c:reported("record_data", 200), "15s")
  event(cut and "unclean-election topic=orders partition=0 offset=150 to=2" or "leader-move topic=orders partition=0 to=2")
  await(gate:held(), "15s")
  p:start()
  await(p:exited(0), "15s")
  gate:release()
  await(t:read(cut and 250 or 300), "15s")
end)
must(read.consistent(c, t))
must(read.nothing_passed_over(c, t))
must(read.everything(c, t))
must(offsets.validated_once(c), { optional = true })
