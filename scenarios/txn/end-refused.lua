-- EndTxn is refused, and nothing is committed: it can't be, or nobody knows.
scenario {
  name = "txn/end-refused",
  claim = "A commit that was refused is not told to be one.",
  see = "T-05; KIP-98, KIP-360", timeout = "40s",
  matrix = { error = { "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "INVALID_TXN_STATE" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { max_messages = 15 } })
local refused = rule("refused", "EndTxn nth=3 -> error " .. case.error)
timeline(function()
  x:start()
  await(refused:fired(), "15s")
  await(x:exited(), "15s")
end)
must(txn.ended_as_told(x))
must(delivery.no_loss(x, t))
