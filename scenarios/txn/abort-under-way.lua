-- Answers are slow when a transaction is aborted: some of its batches are on their way, others not sent yet.
scenario {
  name = "txn/abort-under-way",
  claim = "An abort takes all of its transaction with it and nothing of the next.",
  see = "T-10; KIP-654", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local x = lib.transactional(t, { args = { max_messages = 40, transaction_size = 10, abort_every = 2 }, config = { ["batch.size"] = 90 } })
local c = lib.consumer(t, { config = { ["isolation.level"] = "read_committed" } })
local slow = rule("slow", "Produce topic=orders every=3 -> delay 60ms before")
timeline(function()
  x:start()
  await(slow:fired(2), "15s")
  await(x:exited(0), "18s")
  c:start()
  await(c:reported("record_data", 20), "15s")
  sleep("200ms")
end)
must(txn.ended_as_told(x))
must(read.nothing_aborted(c))
must(read.no_skip(c, t))
must(produce.sequences(x, t))
