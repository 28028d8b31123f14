-- A broker of years to come. What counts is what both know.
scenario {
  name = "version/high-maxima",
  claim = "Versions that a broker offers and the client does not know are not asked for.",
  see = "V-04", timeout = "30s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2 })
local p, c = lib.producer(t), lib.consumer(t)
rule("high", "ApiVersions -> set apiKeys[*].maxVersion=32767")
timeline(function()
  p:start()
  await(p:exited(0), "15s")
  c:start()
  await(t:read(300), "15s")
end)
must(delivery.no_loss(p, t))
must(delivery.no_error(p))
must(read.everything(c, t))
