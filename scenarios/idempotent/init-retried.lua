-- No producer id at first.
scenario {
  name = "idempotent/init-retried",
  claim = "An InitProducerId that fails for the moment is tried again.",
  see = "Q-08", timeout = "40s",
  matrix = { error = { "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "CONCURRENT_TRANSACTIONS" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.idempotent(t, { args = { max_messages = 60 } })
local failed = rule("failed", "InitProducerId count=2 -> error " .. case.error)
timeline(function()
  p:start()
  await(failed:fired(2), "15s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(delivery.no_duplicates(p, t))
