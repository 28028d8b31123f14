-- Every answer comes in pieces of a few bytes: a client reads until a frame is whole, also inside the size field.
scenario {
  name = "connect/partial-answers",
  claim = "Answers that arrive in small pieces are put together.",
  see = "C-01; the protocol guide (size-delimited frames)", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 30 })
local p = lib.producer(t, { args = { max_messages = 40, value_prefix = 1 } })
local c = lib.consumer(t, { args = { max_messages = 70 } })
rule("pieces", "any -> chunk 3")
timeline(function()
  p:start()
  await(p:exited(0), "18s")
  c:start()
  await(c:exited(0), "18s")
end)
lib.must_deliver(p, t)
must(read.consistent(c, t))
must(read.everything(c, t))
