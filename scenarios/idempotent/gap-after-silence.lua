-- A request gets no answer and is not written; the connection ends while more records wait. The same batch, sent again,
-- is refused once with a retriable error: then what follows it stands out of sequence for the broker until it is filled in.
scenario {
  name = "idempotent/gap-after-silence",
  claim = "A batch that was refused after a lost connection is sent again before what follows it; that is no fatal error.",
  see = "Q-03; KIP-98", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { args = { max_messages = 100, throughput = 50 },
  config = { ["max.in.flight.requests.per.connection"] = 5, ["batch.size"] = 512 } })
local silent = rule("silent", "Produce topic=orders nth=6 -> silence before")
local refused = rule("refused", "Produce topic=orders nth=7 -> error NOT_ENOUGH_REPLICAS before")
timeline(function()
  p:start()
  await(silent:fired(), "10s")
  sleep("400ms")
  event("broker-restart broker=1")
  await(refused:fired(), "10s")
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
must(produce.sequences(p, t))
must(order.per_partition(p, t))
must(delivery.no_duplicates(p, t))
