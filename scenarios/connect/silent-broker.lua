-- One of two brokers reads and never answers. request.timeout.ms ends the wait; partitions of the other go on.
scenario {
  name = "connect/silent-broker",
  claim = "A broker that goes silent does not hold up the partitions of another.",
  see = "C-05", timeout = "30s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 2 }
local slow = c:topic("slow", { partitions = 1, leader = 2, replication = 1 })
local quick = c:topic("quick", { partitions = 1, leader = 1, replication = 1 })
local a = lib.producer(slow, { name = "a", args = { max_messages = 50 }, config = { ["request.timeout.ms"] = 1500, ["delivery.timeout.ms"] = 20000 } })
local b = lib.producer(quick, { name = "b" })
local hole = rule("hole", "Produce broker=2 nth=1 -> silence")
timeline(function()
  a:start()
  await(hole:fired(), "10s")
  b:start()
  await(b:exited(0), "15s")
  await(a:exited(0), "15s")
end)
lib.must_deliver(b, quick)
lib.must_deliver(a, slow)
