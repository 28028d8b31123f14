-- A second member comes to a cooperative group, and goes again. Who has a partition gives it back before another gets it.
scenario {
  name = "group/cooperative",
  claim = "In a cooperative group a partition is given to another member only after its owner has given it back.",
  see = "G-11; KIP-429", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 6 })
local function member(name)
  return lib.consumer(t, { name = name, args = { assignment_strategy = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor" } })
end
local a, b = member("a"), member("b")
local p = lib.producer(t, { args = { max_messages = 300, repeating_keys = 60, throughput = 100 } })
timeline(function()
  a:start()
  await(a:reported("partitions_assigned"), "15s")
  b:start()
  await(b:reported("partitions_assigned"), "20s")
  p:start()
  await(b:reported("record_data"), "20s")
  await(p:exited(0), "15s")
  b:stop()
  await(b:exited(), "15s")
  await(t:read(300), "15s")
end)
must(group.gives_what_is_free("readers"))
must(group.assigns_each_once("readers"))
must(group.commits_its_own("readers"))
must(group.one_owner("readers"))
must(read.everything(t))
must(read.once())
