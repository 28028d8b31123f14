-- A second program takes over the transactional id while the first one is in the middle of a transaction: what it waits for then is
-- not worked before the second program is done. It is fenced, and what it says must hold.
scenario {
  name = "txn/fenced",
  claim = "Who was fenced commits nothing more, and says so.",
  see = "T-05, Q-11; KIP-98", timeout = "50s",
  matrix = { at = { "Produce", "EndTxn" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local a = lib.transactional(t, { name = "a", args = { max_messages = 60, value_prefix = 1 }, config = { ["request.timeout.ms"] = 30000 } })
local b = lib.transactional(t, { name = "b", args = { max_messages = 10, value_prefix = 2 } })
local gate = rule("gate", case.at .. " client=a nth=2 -> hold gate request")
timeline(function()
  a:start()
  await(gate:held(), "15s")
  b:start()
  await(b:exited(0), "20s")
  gate:release()
  await(a:exited(1), "10s")
end)
must(txn.ended_as_told())
must(delivery.no_loss())
