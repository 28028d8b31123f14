-- Metadata carries a tagged field that nobody has heard of, as a newer broker's may.
scenario {
  name = "version/unknown-tags",
  claim = "Tagged fields that a client does not know are skipped.",
  see = "V-06; KIP-482", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 50 } })
-- A client without flexible versions has no tags to skip.
rule("tagged", "Metadata version=9..13 -> tag 9999", { optional = true })
rule("tagged-produce", "Produce version=9..13 -> tag 9999", { optional = true })
timeline(function()
  p:start()
  await(p:exited(0), "18s")
end)
lib.must_deliver(p, t)
