-- The transactions' coordinator moves, and then its broker dies.
scenario {
  name = "txn/coordinator-moves",
  claim = "When the coordinator of a transactional id moves, transactions go on at the new one.",
  see = "T-07", timeout = "40s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1, replication = 1 })
local x = lib.transactional(t, { args = { max_messages = 60, throughput = 60 } })
timeline(function()
  event "coordinator-move group=writer to=2"
  x:start()
  await(t:has(12), "15s")
  event "coordinator-move group=writer to=3"
  await(t:has(30), "15s")
  event "broker-down broker=3"
  await(x:exited(0), "18s")
end)
must(txn.ended_as_told(x))
must(delivery.no_loss(x, t))
must(delivery.no_error(x, t))
