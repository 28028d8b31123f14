-- A second program takes over the transactional id. The first one is fenced, and what it says must hold.
scenario {
  name = "txn/fenced",
  claim = "Who was fenced commits nothing more, and says so.",
  see = "T-05, Q-11; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local a = lib.transactional(t, { name = "a", args = { max_messages = 500, throughput = 50, value_prefix = 1 } })
local b = lib.transactional(t, { name = "b", args = { max_messages = 10, value_prefix = 2 } })
timeline(function()
  a:start()
  await(t:has(12), "15s")
  b:start()
  await(b:exited(0), "15s")
  await(a:exited(1), "15s")
end)
must(txn.ended_as_told())
must(delivery.no_loss())
