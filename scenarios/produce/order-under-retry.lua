-- One Produce request is refused before it is written, while others may be on their way. With idempotence the
-- broker refuses what comes out of sequence; with one request in flight nothing can overtake. With more and no
-- idempotence the order is documented as not kept, and only told.
scenario {
  name = "produce/order-under-retry",
  claim = "A retriable error on one of several requests must not reorder the records of a partition.",
  see = "KIP-98; max.in.flight.requests.per.connection", timeout = "40s",
  matrix = { idempotent = { true, false }, inflight = { 1, 5 } },
}

local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 1, leader = 1 })
local p = client("p", {
  speaks = "verifiable-producer",
  args = { topic = t, max_messages = 500, throughput = 2000 },
  config = {
    acks = "all", retries = 100, -- libraries of old have none by default
    ["enable.idempotence"] = case.idempotent,
    ["max.in.flight.requests.per.connection"] = case.inflight,
    ["linger.ms"] = 0,
    ["batch.size"] = 512,
  },
})

local slow = rule("slow", "Produce topic=orders nth=2 -> delay 100ms before")
local refused = rule("refused", "Produce topic=orders nth=4 -> error NOT_ENOUGH_REPLICAS before")

timeline(function()
  p:start()
  await(slow:fired(), "10s")
  await(refused:fired(), "10s")
  await(p:exited(0))
end)

local ordered = (case.idempotent or case.inflight == 1) and must or info
local once = case.idempotent and must or info
must(delivery.no_loss(p, t))
ordered(order.per_partition(p, t))
once(delivery.no_duplicates(p, t))
