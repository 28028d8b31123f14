-- A producer with its library's own settings for idempotence and requests in flight; a request is refused with a
-- retriable error. Who promises order by default keeps it; who documents that retries reorder is told of it.
scenario {
  name = "produce/default-order",
  claim = "With its default settings a producer keeps the order of a partition when a request is retried.",
  see = "P-01; KIP-679", timeout = "30s",
}
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = client("p", { speaks = "verifiable-producer", args = { topic = t, max_messages = 300, throughput = 2000 },
  config = { retries = 100, ["linger.ms"] = 0, ["batch.size"] = 512 } })
rule("slow", "Produce topic=orders nth=2 -> delay 100ms before")
local refused = rule("refused", "Produce topic=orders nth=4 -> error NOT_ENOUGH_REPLICAS before")
timeline(function()
  p:start()
  await(refused:fired(), "10s")
  await(p:exited(), "15s")
end)
should(order.per_partition(p, t))
should(delivery.no_loss(p, t))
