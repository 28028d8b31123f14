-- A broker comes back at another port. Its id is the same.
scenario {
  name = "metadata/address-changes",
  claim = "When a broker's address changes, the client follows.",
  see = "M-13", timeout = "40s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 2 }
local t = c:topic("orders", { partitions = 1, leader = 2, replication = 2 })
local p = lib.producer(t, { args = { throughput = 150 }, config = { ["metadata.max.age.ms"] = 1000 } })
timeline(function()
  p:start()
  await(t:has(60), "15s")
  event "broker-restart broker=2 for=500ms"
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
must(connection.pauses_between_attempts(20))
