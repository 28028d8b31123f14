-- A broker goes on at another address; its id is the same. Where it was nobody answers, or it works on there for those
-- who have not heard yet; then all have to connect once more.
scenario {
  name = "metadata/address-changes",
  claim = "When a broker's address changes, the client follows.",
  see = "M-13", timeout = "40s",
  matrix = { where_it_was = { "reset", "serve" } },
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 1, leader = 2, replication = 1 })
local p = lib.producer(t, { args = { max_messages = 500, throughput = 100 }, config = { ["metadata.max.age.ms"] = 500 } })
local c = lib.consumer(t, { args = { max_messages = 500 }, config = { ["metadata.max.age.ms"] = 500 } })
timeline(function()
  c:start()
  await(c:reported("partitions_assigned"), "15s")
  p:start()
  await(t:read(50), "15s")
  event("broker-move broker=2 how=" .. case.where_it_was)
  if case.where_it_was == "serve" then
    await(t:read(300), "15s")
    event "broker-restart broker=2"
  end
  await(all(p:exited(0), c:exited(0)), "25s")
end)
lib.must_deliver(p, t)
must(connection.addresses_followed())
must(connection.pauses_between_attempts(20))
must(read.everything(c, t))
