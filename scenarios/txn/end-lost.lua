-- The answer to EndTxn never comes. The work is done.
scenario {
  name = "txn/end-lost",
  claim = "An EndTxn whose answer is lost is asked for again, and the outcome told is the true one.",
  see = "T-04; KIP-98", timeout = "40s",
  matrix = { how = { "close after", "close before" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { max_messages = 20, abort_every = 2 } })
local lost = rule("lost", "EndTxn every=2 -> " .. case.how)
timeline(function()
  x:start()
  await(lost:fired(2), "15s")
  await(x:exited(0), "20s")
end)
must(txn.ended_as_told(x))
must(delivery.no_loss(x, t))
must(delivery.no_duplicates(x, t))
