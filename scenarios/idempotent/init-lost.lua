-- The answer with the producer id is lost with its connection.
scenario {
  name = "idempotent/init-lost",
  claim = "An InitProducerId whose answer is lost is asked again.",
  see = "Q-08", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { args = { max_messages = 60 } })
local lost = rule("lost", "InitProducerId nth=1 -> close after")
timeline(function()
  p:start()
  await(lost:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
