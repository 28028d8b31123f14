-- The leader of a group is told strange things of the second member: that it owns what the leader owns, in the same
-- generation or an older one, a subscription of a version that is not known yet, nothing at all, or bytes without a meaning.
scenario {
  name = "group/strange-member",
  claim = "Whatever a member says of itself, the leader gives each partition to one member.",
  see = "G-10; KAFKA-12984, KIP-792", timeout = "45s",
  matrix = { says = { "owned-too", "owned-before", "newer-version", "nothing", "nonsense" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 6 })
-- A subscription: version, topics, user data, owned partitions, generation.
local topics, no_data = "000000010006" .. "6f7264657273", "ffffffff"
local all_six = "000000010006" .. "6f7264657273" .. "00000006" ..
  "00000000" .. "00000001" .. "00000002" .. "00000003" .. "00000004" .. "00000005"
local says = {
  ["owned-too"] = "0002" .. topics .. no_data .. all_six .. "00000001",
  ["owned-before"] = "0002" .. topics .. no_data .. all_six .. "00000000",
  ["newer-version"] = "0009" .. topics .. no_data .. "00000000" .. "ffffffff" .. "ffff" .. "cafecafe",
  nothing = "", nonsense = "00017fffffff",
}
local owned = case.says == "owned-too" or case.says == "owned-before"
local function member(name)
  return lib.consumer(t, { name = name, args = owned and {
    assignment_strategy = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor" } or {} })
end
local a, b = member("a"), member("b")
local p = lib.producer(t, { args = { max_messages = 120, repeating_keys = 60 } })
local strange = rule("strange", "JoinGroup client=a error=NONE nth=2 -> set members[1].metadata=" .. says[case.says])
timeline(function()
  a:start()
  await(a:reported("partitions_assigned"), "15s")
  b:start()
  await(strange:fired(), "15s")
  p:start()
  await(p:exited(0), "15s")
  await(t:read(120), "20s")
end)
must(group.assigns_each_once("readers"))
must(group.one_owner("readers"))
must(read.everything(t))
if owned then must(group.gives_what_is_free("readers"), { optional = true }) end
