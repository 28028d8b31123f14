-- The first address of the bootstrap list is dead. The others serve as well.
scenario {
  name = "connect/bootstrap-dead",
  claim = "A dead address in the bootstrap list is passed over.",
  see = "M-14", timeout = "40s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 1, leader = 3, replication = 1 })
local p = lib.producer(t)
timeline(function()
  event "broker-down broker=1"
  p:start()
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
