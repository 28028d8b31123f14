-- Fetch answers come late, but they come.
scenario {
  name = "fetch/slow-answers",
  claim = "Slow Fetch answers are waited for: nothing is read twice or left out.",
  see = "C-10", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 200 })
local c = lib.consumer(t, { args = { max_messages = 200 }, config = { ["max.partition.fetch.bytes"] = 1000, ["fetch.max.bytes"] = 2000 } })
rule("slow", "Fetch topic=orders count=8 -> delay 150ms..400ms after")
timeline(function()
  c:start()
  await(c:exited(0), "18s")
end)
must(read.everything(c, t))
must(read.once(c, t))
must(read.no_skip_within(c, t))
must(read.no_step_back_within(c, t))
must(group.heartbeats("readers"))
