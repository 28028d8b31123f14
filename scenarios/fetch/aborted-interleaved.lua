-- Aborted and committed transactions in turn, compressed ones among them.
scenario {
  name = "fetch/aborted-interleaved",
  claim = "Of transactions in turn exactly the committed ones are given to who reads committed records, all to who does not.",
  see = "F-07; KIP-98", timeout = "30s",
  matrix = { isolation = { "read_committed", "read_uncommitted" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, log = {
  { records = 3, txn = "abort", codec = "gzip" }, { records = 3, txn = "commit" }, { records = 3 },
  { records = 3, txn = "commit", codec = "gzip" }, { records = 3, txn = "abort" }, { records = 3, txn = "abort", codec = "gzip" },
  { records = 3, txn = "commit" } } })
local c = lib.consumer(t, { config = { ["isolation.level"] = case.isolation } })
timeline(function()
  c:start()
  await(t:read(case.isolation == "read_committed" and 12 or 21), "10s")
  sleep("300ms")
end)
if case.isolation == "read_committed" then must(read.nothing_aborted(c)) end
must(read.everything(c, t))
must(read.no_control_records(c))
must(read.once(c, t))
