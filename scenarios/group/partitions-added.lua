-- The answer to a member's JoinGroup is on its way for a second, and in that time its topic gets more partitions.
scenario {
  name = "group/partitions-added",
  claim = "A member that hears of new partitions while it joins does not join a second time beside; it reads them later.",
  see = "G-12", timeout = "50s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 20 })
local c = lib.consumer(t, { config = { ["metadata.max.age.ms"] = 500 } })
local p = lib.producer(t, { args = { max_messages = 160, repeating_keys = 40 } })
local gate = rule("gate", "JoinGroup group=readers error=NONE nth=1 -> hold gate answer")
timeline(function()
  c:start()
  await(gate:held(), "15s")
  event "partitions-add topic=orders partitions=4"
  sleep("1s") -- who looks at metadata meanwhile sees them
  gate:release()
  await(t:read(20), "15s")
  p:start()
  await(p:exited(0), "15s")
  await(t:read(180), "20s")
end)
must(group.one_join("readers"))
must(group.one_owner("readers"))
must(read.everything(c, t))
