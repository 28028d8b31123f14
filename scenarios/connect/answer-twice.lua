-- One answer is sent twice. The second belongs to nothing.
scenario {
  name = "connect/answer-twice",
  claim = "An answer that comes a second time acknowledges nothing.",
  see = "C-09", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["request.timeout.ms"] = 2000, ["delivery.timeout.ms"] = 6000 } })
local again = rule("again", "Produce topic=orders nth=3 -> twice")
timeline(function()
  p:start()
  await(again:fired(), "10s")
  await(p:exited(), "15s")
end)
must(delivery.no_loss(p, t))
must(delivery.true_offsets(p, t))
must(delivery.all_answered(p, t))
