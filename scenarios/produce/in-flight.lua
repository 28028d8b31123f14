-- Answers are slow. No more requests are on their way than configured.
scenario {
  name = "produce/in-flight",
  claim = "max.in.flight.requests.per.connection is kept.",
  see = "max.in.flight.requests.per.connection", timeout = "40s",
  matrix = { limit = { 1, 2, 5 } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 200 }, config = {
  ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = case.limit } })
rule("slow", "Produce topic=orders count=15 -> delay 60ms before")
timeline(function()
  p:start()
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
must(produce.in_flight(p, t, case.limit))
