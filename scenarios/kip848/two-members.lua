-- A second member comes, and goes again. What it gets the first has given back before.
scenario {
  name = "kip848/two-members",
  claim = "Partitions move between members without a record lost or given twice.",
  see = "K-03; KIP-848", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 4 })
local a, b = lib.member848(t, { name = "a" }), lib.member848(t, { name = "b" })
local p = lib.producer(t, { args = { max_messages = 200, repeating_keys = 40, throughput = 100 } })
lib.beats()
timeline(function()
  a:start()
  await(a:reported("partitions_assigned"), "15s")
  p:start()
  b:start()
  await(b:reported("record_data"), "20s")
  await(p:exited(0), "15s")
  b:stop()
  await(b:exited(), "15s")
  await(t:read(200), "15s")
end)
must(kip848.owns_what_it_was_given("readers"))
must(kip848.epoch_as_told("readers"))
must(kip848.leaves("readers"))
must(read.everything())
