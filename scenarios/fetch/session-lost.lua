-- The broker does not know the fetch session any more: evicted, or restarted.
scenario {
  name = "fetch/session-lost",
  claim = "When a fetch session is gone, a full fetch begins a new one, and nothing is skipped.",
  see = "F-15; KIP-227", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 3, records = 300 })
local c = lib.consumer(t, { args = { max_messages = 300 }, config = { ["max.partition.fetch.bytes"] = 1500, ["fetch.max.bytes"] = 3000 } })
-- A client without sessions has none to lose.
rule("gone", "Fetch version=7..18 nth=2 -> error FETCH_SESSION_ID_NOT_FOUND", { optional = true })
timeline(function()
  c:start()
  await(c:exited(0), "18s")
end)
must(read.everything(c, t))
must(read.once(c, t))
must(fetch.sessions(c))
