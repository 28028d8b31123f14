-- Every second transaction is aborted. Whoever reads committed records only is given the others, all of them.
scenario {
  name = "txn/aborted-not-given",
  claim = "A read_committed consumer is given what was committed and nothing that was aborted.",
  see = "F-07; KIP-98", timeout = "40s",
  matrix = { isolation = { "read_committed", "read_uncommitted" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local x = lib.transactional(t, { args = { max_messages = 40, transaction_size = 5, abort_every = 2 } })
local c = lib.consumer(t, { config = { ["isolation.level"] = case.isolation } })
timeline(function()
  x:start()
  await(x:exited(0), "15s")
  c:start()
  await(c:reported("record_data", case.isolation == "read_committed" and 20 or 40), "15s")
  sleep("300ms")
end)
if case.isolation == "read_committed" then must(read.nothing_aborted(c)) end
must(read.no_control_records(c))
must(read.consistent(c, t))
must(read.once(c))
must(delivery.no_loss(x, t))
