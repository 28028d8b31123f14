-- The cluster has just started: coordinators load for two seconds.
scenario {
  name = "restart/cold-start",
  claim = "Right after a cluster's start, clients wait until it is ready.",
  see = "G-01", timeout = "45s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 2 })
local p = lib.producer(t, { args = { max_messages = 100 } })
local c = lib.consumer(t, { args = { max_messages = 100 } })
local gate = rule("gate", "FindCoordinator nth=1 -> hold gate request")
timeline(function()
  c:start()
  p:start()
  await(gate:held(), "15s")
  event "cold-start for=2s"
  gate:release()
  await(p:exited(0), "20s")
  await(c:exited(0), "25s")
end)
lib.must_deliver(p, t)
must(read.everything(c, t))
