-- The leader stays and its epoch is the next one. Where the old epoch ended the consumer is told late, and the answer to a Fetch
-- of before comes in meanwhile.
scenario {
  name = "offsets/validation-slow",
  claim = "What comes in while a position is validated is given once.",
  see = "O-06; KIP-320", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 2, records = 100 })
local c = lib.consumer(t, { config = { ["metadata.max.age.ms"] = 500, ["fetch.max.wait.ms"] = 5000 } })
local p = lib.producer(t, { args = { max_messages = 300, throughput = 60 } })
local late = rule("late", "Fetch client=c broker=2 nth=2 -> hold late answer overtake=work")
-- Who does not validate is not asked to.
local gate = rule("gate", "OffsetForLeaderEpoch client=c count=1 -> hold gate answer", { optional = true })
timeline(function()
  event "coordinator-move group=readers to=1" -- heartbeats do not wait behind the Fetch
  c:start()
  await(c:reported("record_data", 100), "15s")
  p:start()
  await(late:held(), "15s")
  event "epoch-bump topic=orders partition=0"
  await(any(gate:held(), t:has(250)), "15s")
  late:release()
  await(any(c:reported("record_data", 101), t:has(350)), "15s") -- some give nothing before they know
  await(any(gate:held(), t:has(400)), "15s")
  gate:release()
  await(p:exited(0), "15s")
  await(any(gate:held(), t:read(400)), "15s")
  gate:release()
  await(t:read(400), "15s")
end)
must(read.once(c, t))
must(read.everything(c, t))
must(offsets.validated_once(c), { optional = true })
