-- The connection ends in the middle of a Produce answer. The batch is written; nobody can know.
scenario {
  name = "connect/cut-answer",
  claim = "An answer that ends in the middle is no answer: what it was for is sent again.",
  see = "C-03", timeout = "40s",
  matrix = { how = { "close", "reset" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t)
local cut = rule("cut", "Produce topic=orders nth=3 -> " .. case.how .. " at=10")
timeline(function()
  p:start()
  await(cut:fired(), "10s")
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
