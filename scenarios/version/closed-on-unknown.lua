-- The broker closes the connection when it is asked for versions in a version that it does not know, instead of
-- saying so.
scenario {
  name = "version/closed-on-unknown",
  claim = "A connection that ends at ApiVersions is tried again; after a bounded number of times the client gets on.",
  see = "V-02", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local p = lib.producer(t, { args = { max_messages = 50 } })
local closed = rule("closed", "ApiVersions count=1 -> close before")
timeline(function()
  p:start()
  await(closed:fired(), "10s")
  await(p:exited(0), "15s")
end)
lib.must_deliver(p, t)
