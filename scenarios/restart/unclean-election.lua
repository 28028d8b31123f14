-- A replica that lacks the newest records becomes leader: the log ends earlier than it did.
scenario {
  name = "restart/unclean-election",
  claim = "After the log was cut, a consumer is given what the log holds, from where the cut is.",
  see = "O-08; KIP-320", timeout = "45s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1, records = 200 })
local c = lib.consumer(t)
local p = lib.producer(t, { args = { max_messages = 100 } })
timeline(function()
  c:start()
  await(c:reported("record_data", 200), "20s")
  event "unclean-election topic=orders partition=0 offset=150 to=2"
  p:start()
  await(p:exited(0), "15s")
  sleep("2s")
end)
must(read.consistent(c, t))
must(read.nothing_passed_over(c, t))
