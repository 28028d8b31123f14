-- The four bytes of a length say two gigabytes; or another protocol answers.
scenario {
  name = "connect/absurd-size",
  claim = "A frame of an absurd size ends the connection, not the client.",
  see = "C-12", timeout = "40s",
  matrix = { what = { "two-gigabytes", "http" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["request.timeout.ms"] = 2000, ["delivery.timeout.ms"] = 6000 } })
local action = case.what == "http" and "garbage 485454502f312e3120343030" or "length 2147483647"
local absurd = rule("absurd", "Produce topic=orders nth=3 -> " .. action)
timeline(function()
  p:start()
  await(absurd:fired(), "10s")
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
should(delivery.no_error(p, t)) -- a lost connection can be made again
