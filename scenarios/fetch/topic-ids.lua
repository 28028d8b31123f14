-- Metadata tells no topic id, as in the middle of an upgrade; or the broker does not know, or does not agree with, the id that
-- a Fetch names.
scenario {
  name = "fetch/topic-ids",
  claim = "A topic whose id is not known is read by its name, and an id that is refused is looked up again.",
  see = "F-16; KIP-516", timeout = "30s",
  matrix = { what = { "none-told", "UNKNOWN_TOPIC_ID", "INCONSISTENT_TOPIC_ID" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 100 })
local c = lib.consumer(t, { args = { max_messages = 100 }, config = { ["metadata.max.age.ms"] = 1000 } })
if case.what == "none-told" then
  rule("none", "Metadata version=10..13 -> set topics[*].topicId=AAAAAAAAAAAAAAAAAAAAAA", { optional = true })
else -- whoever fetches by names is not asked
  rule("refused", "Fetch version=13..18 nth=1..2 -> error " .. case.what, { optional = true })
end
timeline(function()
  c:start()
  await(c:exited(0), "15s")
end)
must(read.once(c, t))
must(read.everything(c, t))
must(metadata.no_storm(c))
