-- A broker refuses connections for a while. Attempts have pauses between them.
scenario {
  name = "connect/reconnects-in-peace",
  claim = "While a broker is down, attempts to connect to it have pauses.",
  see = "reconnect.backoff.ms", timeout = "40s",
}
local lib = use("../_subjects")
local c = cluster { brokers = 2 }
local t = c:topic("orders", { partitions = 1, leader = 2, replication = 1 })
local p = lib.producer(t, { args = { throughput = 100 }, config = { ["delivery.timeout.ms"] = 20000 } })
timeline(function()
  p:start()
  await(t:has(50), "15s")
  event "broker-down broker=2"
  sleep("2s")
  event "broker-up broker=2"
  await(p:exited(0), "18s")
end)
must(delivery.no_loss(p, t))
must(connection.pauses_between_attempts(20))
must(metadata.no_storm(p))
