-- The answer to the first member's Fetch is late: when it comes, a second member has one of its partitions and has read it.
scenario {
  name = "fetch/late-for-revoked",
  claim = "What comes in for a partition that was given away is not given to the application.",
  see = "F-17, G-09", timeout = "50s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 2 }
local t = k:topic("orders", { partitions = 2, leader = 2, records = 100 })
t:committed("readers", { 0, 0 })
local a, b = lib.consumer(t, { name = "a" }), lib.consumer(t, { name = "b" })
-- Some join only when their Fetch is answered: they are given as long as this takes.
local p = lib.producer(k:topic("clock"), { args = { max_messages = 80, throughput = 20 } })
local gate = rule("gate", "Fetch client=a broker=2 nth=1 -> hold gate answer")
timeline(function()
  event "coordinator-move group=readers to=1" -- heartbeats do not wait behind the Fetch
  a:start()
  await(gate:held(), "15s")
  b:start()
  p:start()
  await(any(b:reported("record_data", 50), p:exited(0)), "20s")
  gate:release()
  await(t:read(100), "25s")
end)
must(read.once())
must(read.everything(t))
must(group.one_owner("readers"))
must(group.commits_its_own("readers"))
