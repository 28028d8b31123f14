-- The broker does not take this epoch any more, and goes on refusing it.
scenario {
  name = "idempotent/fenced",
  claim = "After INVALID_PRODUCER_EPOCH nothing more is sent with that epoch.",
  see = "Q-11; KIP-360", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { config = { ["max.in.flight.requests.per.connection"] = 1, ["delivery.timeout.ms"] = 8000 } })
local fenced = rule("fenced", "Produce topic=orders nth=3 -> error INVALID_PRODUCER_EPOCH")
timeline(function()
  p:start()
  await(fenced:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(produce.no_send_after_fatal(p, t))
