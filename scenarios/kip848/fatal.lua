-- The broker refuses the member for good.
scenario {
  name = "kip848/fatal",
  claim = "A member that is refused for good does not go on with heartbeats.",
  see = "K-05; KIP-848", timeout = "40s",
  matrix = { error = { "INVALID_REQUEST", "UNSUPPORTED_ASSIGNOR", "GROUP_AUTHORIZATION_FAILED", "UNRELEASED_INSTANCE_ID" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 10 })
local c = lib.member848(t)
local no = rule("no", "ConsumerGroupHeartbeat group=readers -> error " .. case.error)
timeline(function()
  c:start()
  await(no:fired(), "15s")
  sleep("2s")
end)
must(kip848.stops_when_refused("readers"))
