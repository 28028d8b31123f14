-- An error code from the future. It may be reported or retried; it is not success.
scenario {
  name = "version/unknown-error",
  claim = "An error code that a client does not know is neither success nor the end of the client.",
  see = "V-09", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = 1, ["delivery.timeout.ms"] = 8000 } })
local odd = rule("odd", "Produce topic=orders nth=3 -> set responses[0].partitionResponses[0].errorCode=999")
timeline(function()
  p:start()
  await(odd:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(order.per_partition(p, t))
