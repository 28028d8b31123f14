-- The leader's connection ends while a long poll waits.
scenario {
  name = "fetch/connection-lost",
  claim = "A lost connection costs a consumer nothing but time.",
  see = "C-15", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 400 })
local c = lib.consumer(t, { args = { max_messages = 400 }, config = { ["max.partition.fetch.bytes"] = 1000, ["fetch.max.bytes"] = 1000 } })
local lost = rule("lost", "Fetch topic=orders every=3 count=4 -> reset after")
timeline(function()
  c:start()
  await(lost:fired(2), "15s")
  await(c:exited(0), "18s")
end)
must(read.everything(c, t))
must(read.once(c, t))
must(read.no_skip(c, t))
must(read.no_skip_within(c, t))
must(read.no_step_back_within(c, t))
