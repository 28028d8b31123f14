-- The group's coordinator knows the topic and assigns it; Metadata does not know it yet.
scenario {
  name = "kip848/topic-hidden",
  claim = "Partitions of a topic that Metadata does not know yet are read once it does.",
  see = "K-03; KIP-848", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 100 })
local c = lib.member848(t, { config = { ["metadata.max.age.ms"] = 500 } })
lib.beats()
timeline(function()
  event "metadata-hide topic=orders"
  c:start()
  await(c:sent("Metadata", 4), "20s")
  event "metadata-show topic=orders"
  await(t:read(100), "15s")
end)
must(kip848.owns_what_it_was_given("readers"))
must(read.once(c, t))
must(read.everything(c, t))
