-- Every broker restarts, one after the other, while records are written and read.
scenario {
  name = "restart/rolling",
  claim = "A rolling restart costs nobody a record.",
  see = "V-07", timeout = "60s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 3 })
local p = lib.producer(t, { args = { max_messages = 600, throughput = 120, repeating_keys = 30 }, config = {
  ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = 1 } })
local c = lib.consumer(t, { args = { max_messages = 600 } })
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  for broker = 1, 3 do
    await(t:has(broker * 120), "15s")
    event("broker-restart broker=" .. broker .. " for=400ms")
  end
  await(p:exited(0), "20s")
  await(c:exited(), "20s")
end)
must(delivery.no_loss(p, t))
must(order.per_partition(p, t))
must(read.nothing_passed_over(c, t)) -- with a duplicate in the log the count is reached before its end
