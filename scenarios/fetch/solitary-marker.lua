-- A marker of a transaction that has no record here: the transaction's other partitions had some, or compaction took them.
scenario {
  name = "fetch/solitary-marker",
  claim = "A marker without records before it hides nothing that comes after it.",
  see = "F-06; KIP-98", timeout = "30s",
  matrix = { how = { "abort", "commit" } },
}
local lib = use("../_subjects")
local marker = {
  abort = "0000000000000000000000420000000002373f41dd0030000000000000018bcfe568000000018bcfe5680000000000000003e70000ffffffff000000012000000008000000000c00000000000000",
  commit = "0000000000000000000000420000000002c30197950030000000000000018bcfe568000000018bcfe5680000000000000003e70000ffffffff000000012000000008000000010c00000000000000",
}
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, log = {
  { records = 5, txn = "commit" }, { hex = marker[case.how] }, { records = 5, txn = "commit" }, { records = 5 } } })
local c = lib.consumer(t, { config = { ["isolation.level"] = "read_committed" } })
timeline(function()
  c:start()
  await(t:read(15), "10s")
  sleep("300ms")
end)
must(read.everything(c, t))
must(read.no_control_records(c))
must(read.once(c, t))
