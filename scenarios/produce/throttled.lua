-- The broker asks for a second of silence, and does not read meanwhile.
scenario {
  name = "produce/throttled",
  claim = "A throttled client is silent on that connection until the time has passed.",
  see = "KIP-219", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 80, throughput = 40 } })
local quiet = rule("quiet", "Produce topic=orders nth=3 -> throttle 1s")
timeline(function()
  p:start()
  await(quiet:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
should(connection.silent_when_throttled(p))
