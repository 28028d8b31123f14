-- One record of a transaction can't be written. The transaction may be aborted; it is not committed without it.
scenario {
  name = "txn/record-fails",
  claim = "A transaction of which a record failed is not committed.",
  see = "T-03; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { max_messages = 30 }, config = { ["batch.size"] = 90 } })
local refused = rule("refused", "Produce topic=orders nth=3 -> error TOPIC_AUTHORIZATION_FAILED")
timeline(function()
  x:start()
  await(refused:fired(), "15s")
  await(x:exited(), "15s")
end)
must(txn.no_commit_after_failure(x))
must(delivery.no_loss(x, t))
