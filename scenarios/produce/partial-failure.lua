-- One partition of several fails. The others' batches are written and must not come again. It is not the first batch
-- that fails: of a producer that it does not know yet a broker takes any sequence, so that a second batch in flight
-- would be written and the first be out of order for good.
scenario {
  name = "produce/partial-failure",
  claim = "A partition's error concerns that partition: what was acknowledged is not sent again.",
  see = "P-06", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 3 })
local p = lib.producer(t, { args = { max_messages = 3000, repeating_keys = 12 }, config = { ["linger.ms"] = 20, ["batch.size"] = 4096 } })
local failed = rule("failed", "Produce topic=orders partition=1 nth=2 -> error NOT_ENOUGH_REPLICAS")
timeline(function()
  p:start()
  await(failed:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(produce.no_resend(p, t))
must(delivery.no_duplicates(p, t))
