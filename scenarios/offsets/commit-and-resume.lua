-- A consumer stops after a part and comes back.
scenario {
  name = "offsets/commit-and-resume",
  claim = "A consumer goes on behind what it committed: nothing twice, nothing left out.",
  see = "O-01", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local a = lib.consumer(t, { name = "a", args = { max_messages = 80 } })
local b = lib.consumer(t, { name = "b", args = { max_messages = 120 } })
timeline(function()
  a:start()
  await(a:exited(0), "15s")
  b:start()
  await(b:exited(0), "15s")
end)
must(read.everything())
must(read.once())
