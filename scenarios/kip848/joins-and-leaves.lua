-- One member from its first heartbeat to its last.
scenario {
  name = "kip848/joins-and-leaves",
  claim = "A member joins with epoch 0 and all of its fields, says what it owns, and leaves once.",
  see = "K-01, K-06; KIP-848, KIP-1082", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 40 })
local c = lib.member848(t)
lib.beats()
timeline(function()
  c:start()
  await(c:reported("record_data", 40), "20s")
  sleep("1s")
  c:stop()
  await(c:exited(), "15s")
end)
must(kip848.joins_in_full("readers"))
must(kip848.epoch_as_told("readers"))
must(kip848.owns_what_it_was_given("readers"))
must(kip848.leaves("readers"))
must(read.everything(c, t))
must(read.once(c, t))
