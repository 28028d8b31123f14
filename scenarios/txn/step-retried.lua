-- A transaction before is not over yet, or the coordinator loads or is elsewhere, at one step.
scenario {
  name = "txn/step-retried",
  claim = "A step of a transaction that fails for the moment is tried again, and nobody is told.",
  see = "T-01, T-07; KIP-98", timeout = "40s",
  matrix = {
    api = { "AddPartitionsToTxn", "EndTxn", "InitProducerId" },
    error = { "CONCURRENT_TRANSACTIONS", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR" },
  },
}
local lib = use("../_subjects")
local t = cluster { brokers = 2, like = "kafka-3.9" }:topic("orders", { partitions = 1 })
local x = lib.transactional(t, { args = { max_messages = 15 } })
local failed = rule("failed", case.api .. " count=3 -> error " .. case.error)
timeline(function()
  x:start()
  await(failed:fired(3), "15s")
  await(x:exited(0), "15s")
end)
must(txn.ended_as_told(x))
must(delivery.no_error(x, t))
must(delivery.no_loss(x, t))
must(delivery.no_duplicates(x, t))
