-- The broker says that it has this sequence already: written, once.
scenario {
  name = "idempotent/duplicate-is-success",
  claim = "DUPLICATE_SEQUENCE_NUMBER means that the batch is written.",
  see = "Q-04; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { config = { ["max.in.flight.requests.per.connection"] = 1 } })
local twice = rule("twice", "Produce topic=orders nth=3 -> error DUPLICATE_SEQUENCE_NUMBER after")
timeline(function()
  p:start()
  await(twice:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(delivery.no_duplicates(p, t))
must(produce.sequences(p, t))
