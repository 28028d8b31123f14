-- The answer comes after the client has given it up. It must not be taken for the answer to something newer.
scenario {
  name = "connect/late-answer",
  claim = "An answer that comes after request.timeout.ms is not matched to a later request.",
  see = "C-10", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["request.timeout.ms"] = 1000, ["delivery.timeout.ms"] = 15000 } })
local late = rule("late", "Produce topic=orders nth=3 -> delay 1500ms after")
timeline(function()
  p:start()
  await(late:fired(), "10s")
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(delivery.true_offsets(p, t))
