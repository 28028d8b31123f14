-- Brokers close connections that nobody uses (connections.max.idle.ms). Here that is after a few hundred ms, again and again,
-- between a producer's records and a member's heartbeats.
scenario {
  name = "connect/idle-closed",
  claim = "A connection that a broker closes while nothing is under way on it is opened again when it is needed: nobody is told.",
  see = "C-15; connections.max.idle.ms", timeout = "50s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 2 }:topic("orders", { partitions = 2 })
local p = lib.producer(t, { args = { max_messages = 24, throughput = 4 }, config = {
  ["enable.idempotence"] = false, ["max.in.flight.requests.per.connection"] = 1 } })
local c = lib.consumer(t)
timeline(function()
  c:start()
  await(members("readers", 1), "15s")
  p:start()
  for i = 1, 7 do
    await(t:has(3 * i), "15s")
    sleep("120ms") -- what belongs to this record is over, and the next one has not come
    event "connections-expire"
  end
  await(p:exited(0), "15s")
  await(t:read(24), "15s")
end)
lib.must_deliver(p, t)
must(order.per_partition(p, t))
must(read.everything(c, t))
