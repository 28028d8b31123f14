-- A key is null or text. What is null is null in the log as well, and not empty.
scenario {
  name = "produce/keys",
  claim = "A record stands in the log with the key that it was sent with; null is not empty.",
  see = "P-12", timeout = "30s",
  matrix = { keys = { 0, 7 } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local p = lib.producer(t, { args = { max_messages = 60, repeating_keys = case.keys > 0 and case.keys or nil } })
timeline(function()
  p:start()
  await(p:exited(0), "15s")
end)
must(delivery.as_sent(p, t))
must(delivery.no_loss(p, t))
must(delivery.all_answered(p, t))
