-- A second member joins a group that has one, and later leaves again. In every generation each partition
-- belongs to one of them, and between them they read everything.
scenario {
  name = "group/two-members",
  claim = "In one generation of a group a partition belongs to one member.",
  see = "KIP-62; the leader's assignment", timeout = "30s",
}

local c = cluster { brokers = 3 }
local t = c:topic("orders", { partitions = 6 })
-- Keys, because a producer may put all records without one into a single partition.
local p = client("p", { speaks = "verifiable-producer", args = { topic = t, max_messages = 300, repeating_keys = 60 } })

local function member(name)
  return client(name, {
    speaks = "verifiable-consumer",
    args = { topic = t, group_id = "readers", reset_policy = "earliest", session_timeout = 10000 },
    config = { ["heartbeat.interval.ms"] = 300, ["fetch.max.wait.ms"] = 200 },
  })
end

local a, b = member("a"), member("b")

timeline(function()
  a:start()
  await(a:reported("partitions_assigned"), "10s")
  b:start()
  await(b:reported("partitions_assigned"), "10s")
  await(a:reported("partitions_assigned", 2), "10s")
  p:start()
  await(p:exited(0), "18s")
  await(a:reported("records_consumed"), "15s")
  await(b:reported("records_consumed"), "15s")
  b:stop()
  await(b:exited(), "18s")
  await(a:reported("partitions_assigned", 3), "10s")
  await(t:read(300), "10s")
end)

must(group.one_owner("readers"))
must(read.everything(t))
must(delivery.no_loss(p, t))
