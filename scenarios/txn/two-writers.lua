-- Two programs write transactions to the same partitions side by side.
scenario {
  name = "txn/two-writers",
  claim = "A transaction's records keep their order, whatever others write between them.",
  see = "KIP-98; Jepsen's Kafka workload", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local function writer(name, prefix)
  return lib.transactional(t, { name = name, args = { max_messages = 40, transaction_size = 8, throughput = 100, transactional_id = name,
    value_prefix = prefix, abort_every = 3 }, config = { ["batch.size"] = 90 } })
end
local a, b = writer("a", 1), writer("b", 2)
timeline(function()
  a:start() b:start()
  await(all(a:exited(0), b:exited(0)), "12s")
end)
must(txn.order())
must(txn.ended_as_told())
must(delivery.no_loss())
info(txn.alone())
info(txn.no_write_cycle())
info(txn.no_read_cycle())
