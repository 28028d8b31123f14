-- Two answers of one connection change places, as no Kafka does it. Some libraries know answers by their ids and need
-- not mind; others give the connection up. What none may do is to take the one for the other. A client that has one
-- request under way at a time meets nothing but a slow answer.
scenario {
  name = "connect/answers-swapped",
  claim = "An answer that comes before its turn acknowledges the request that it names, or none.",
  see = "C-08", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, {
  args = { throughput = 200 },
  config = { ["max.in.flight.requests.per.connection"] = 5, ["request.timeout.ms"] = 2000, ["delivery.timeout.ms"] = 6000 },
})
local late = rule("late", "Produce topic=orders nth=3 -> hold gate answer overtake=answers")
timeline(function()
  p:start()
  await(late:held(), "10s")
  sleep("300ms")
  late:release()
  await(p:exited(), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.true_offsets(p, t))
must(delivery.all_answered(p, t))
