-- In the middle of a transaction the broker finds a gap in the sequences.
scenario {
  name = "txn/sequence-lost",
  claim = "After a sequence error in a transaction nothing is committed that lacks a record.",
  see = "T-06; KIP-360", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { max_messages = 30 }, config = { ["batch.size"] = 90, ["delivery.timeout.ms"] = 8000 } })
local gap = rule("gap", "Produce topic=orders nth=4 -> error OUT_OF_ORDER_SEQUENCE_NUMBER")
timeline(function()
  x:start()
  await(gap:fired(), "15s")
  await(x:exited(), "18s")
end)
must(txn.no_commit_after_failure(x))
must(delivery.no_loss(x, t))
