-- The committed offset is asked for and can't be told just now.
scenario {
  name = "offsets/fetch-transient",
  claim = "A transient error of OffsetFetch is retried; it is never taken for 'no offset'.",
  see = "O-02", timeout = "40s",
  matrix = { error = { "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local a = lib.consumer(t, { name = "a", args = { max_messages = 80 } })
local b = lib.consumer(t, { name = "b", args = { max_messages = 120 } })
local failed = rule("failed", "OffsetFetch client=b count=2 -> error " .. case.error)
timeline(function()
  a:start()
  await(a:exited(0), "15s")
  b:start()
  await(failed:fired(), "10s")
  await(b:exited(0), "18s")
end)
must(read.once())
must(read.everything())
