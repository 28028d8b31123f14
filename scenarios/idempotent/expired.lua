-- Answers are held until the records' time is up. Whether they were written nobody can tell.
scenario {
  name = "idempotent/expired",
  claim = "The sequence numbers of what may have been written are not used for other records, even when its time is up.",
  see = "Q-10; KIP-98, KIP-360", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { args = { max_messages = 200, throughput = 25 }, config = {
  ["request.timeout.ms"] = 1000, ["delivery.timeout.ms"] = 3000, ["max.in.flight.requests.per.connection"] = 1 } })
local gate = rule("gate", "Produce topic=orders nth=3..8 -> hold gate answer")
timeline(function()
  p:start()
  await(gate:held(), "10s")
  sleep("5s")
  gate:release()
  await(p:exited(), "20s")
end)
must(produce.sequences(p, t))
must(delivery.no_loss(p, t))
must(delivery.no_duplicates(p, t))
must(delivery.all_answered(p, t))
