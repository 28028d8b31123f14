-- The answer to OffsetFetch is lost with its connection.
scenario {
  name = "offsets/fetch-lost",
  claim = "An OffsetFetch whose answer is lost is asked again; there is no reset.",
  see = "O-02", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local a = lib.consumer(t, { name = "a", args = { max_messages = 80 } })
local b = lib.consumer(t, { name = "b", args = { max_messages = 120 } })
local lost = rule("lost", "OffsetFetch client=b nth=1 -> close after")
timeline(function()
  a:start()
  await(a:exited(0), "15s")
  b:start()
  await(lost:fired(), "10s")
  await(b:exited(0), "18s")
end)
must(read.once())
must(read.everything())
