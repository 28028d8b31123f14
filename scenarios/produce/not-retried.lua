-- An error that no retry can mend.
scenario {
  name = "produce/not-retried",
  claim = "A send that can't succeed is reported as failed at once, and others go on.",
  see = "Errors.java", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { config = { ["enable.idempotence"] = false } })
local refused = rule("refused", "Produce topic=orders nth=3 -> error TOPIC_AUTHORIZATION_FAILED")
timeline(function()
  p:start()
  await(refused:fired(), "10s")
  await(p:exited(1), "18s")
end)
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
