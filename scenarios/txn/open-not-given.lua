-- A transaction in the log has no end yet. Who reads committed records only waits at its beginning.
scenario {
  name = "txn/open-not-given",
  claim = "Nothing from the first record of an open transaction on is given to a read_committed consumer.",
  see = "F-08; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, log = {
  { records = 5 }, { records = 5, txn = "commit" }, { records = 5, txn = "open" }, { records = 5 } } })
local c = lib.consumer(t, { config = { ["isolation.level"] = "read_committed" } })
timeline(function()
  c:start()
  await(c:reported("record_data", 10), "15s")
  sleep("700ms")
end)
must(read.nothing_open(c))
must(read.no_control_records(c))
must(read.consistent(c, t))
