-- The third Produce request is appended, its answer never sent: the connection is closed instead. The client
-- can't know whether its records are written. Without idempotence sending again makes duplicates, which is
-- documented and so only told.
scenario {
  name = "produce/lost-ack",
  claim = "A lost acknowledgement must not lose, duplicate or reorder records of a partition.",
  see = "KIP-98", timeout = "40s",
  matrix = { idempotent = { true, false }, inflight = { 1, 5 } },
}

local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 1, leader = 1 })
local p = client("p", {
  speaks = "verifiable-producer",
  args = { topic = t, max_messages = 500 },
  config = {
    acks = "all", retries = 100, -- libraries of old have none by default
    ["enable.idempotence"] = case.idempotent,
    ["max.in.flight.requests.per.connection"] = case.inflight,
    ["linger.ms"] = 0,
    ["batch.size"] = 512, -- many small batches, so that there is a third
  },
})

local lost = rule("lost-ack", "Produce topic=orders nth=3 -> close after")

timeline(function()
  p:start()
  await(lost:fired(), "10s")
  await(p:exited(0))
end)

local ordered = (case.idempotent or case.inflight == 1) and must or info
local once = case.idempotent and must or info
must(delivery.no_loss(p, t))
ordered(order.per_partition(p, t))
once(delivery.no_duplicates(p, t))
