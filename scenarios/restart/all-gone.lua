-- Every broker is gone for two seconds, while records are written and read. Then all are back, where they were.
scenario {
  name = "restart/all-gone",
  claim = "When all brokers were gone and are back, clients go on by themselves, and nothing that was acknowledged is lost.",
  see = "R-04", timeout = "60s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 3 })
local p = lib.producer(t, { args = { max_messages = 720, throughput = 120, repeating_keys = 30 }, config = {
  ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = 1 } })
local c = lib.consumer(t, { args = { max_messages = 300 } })
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  await(all(t:has(200), c:reported("record_data", 50)), "20s")
  for broker = 1, 3 do event("broker-down broker=" .. broker) end
  sleep("2s")
  for broker = 1, 3 do event("broker-up broker=" .. broker) end
  await(t:has(300), "25s") -- a hundred more, also where a client gave up what came meanwhile
  await(p:exited(), "20s")
  await(c:exited(0), "25s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
must(order.per_partition(p, t))
must(read.nothing_passed_over(c, t)) -- with a duplicate in the log the count is reached before its end
must(metadata.no_storm())
should(delivery.no_error(p, t))
