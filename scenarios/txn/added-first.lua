-- The coordinator is slow to take a partition into the transaction. Data waits for it.
scenario {
  name = "txn/added-first",
  claim = "A partition is written to only after the coordinator took it into the transaction.",
  see = "T-02; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 2, like = "kafka-3.9" }:topic("orders", { partitions = 3 })
local x = lib.transactional(t, { args = { max_messages = 30, transaction_size = 6 } })
local slow = rule("slow", "AddPartitionsToTxn count=4 -> delay 100ms before")
timeline(function()
  x:start()
  await(x:exited(0), "20s")
end)
must(txn.added_before_data(x))
must(txn.ended_as_told(x))
must(delivery.no_loss(x, t))
