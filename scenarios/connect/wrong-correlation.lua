-- An answer carries a correlation id that nobody asked with. Nothing on that connection can be trusted any more.
scenario {
  name = "connect/wrong-correlation",
  claim = "After an answer with a foreign correlation id nothing of that connection is taken for an acknowledgement.",
  see = "C-07", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { throughput = 200 }, config = { ["request.timeout.ms"] = 2000, ["delivery.timeout.ms"] = 6000 } })
local odd = rule("odd", "Produce topic=orders nth=3 -> correlation 123456789")
timeline(function()
  p:start()
  await(odd:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.true_offsets(p, t))
must(delivery.all_answered(p, t))
should(connection.dropped_when_confused(p))
