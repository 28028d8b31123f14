-- The topic is deleted and made again under the same name: another id, epochs that begin anew, an empty log.
scenario {
  name = "metadata/topic-recreated",
  claim = "A topic that was made anew is written to and read from like any other.",
  see = "M-08; KIP-516", timeout = "45s",
}
local lib = use("../_subjects")
local k = cluster { brokers = 3 }
local t = k:topic("orders", { partitions = 1, leader = 1 })
local first = lib.producer(t, { name = "first", args = { max_messages = 50, value_prefix = "1" } })
local second = lib.producer(t, { name = "second", args = { max_messages = 100, value_prefix = "2", throughput = 100 } })
local c = lib.consumer(t, { config = { ["metadata.max.age.ms"] = 500 } })
timeline(function()
  c:start()
  first:start()
  await(first:exited(0), "15s")
  await(c:reported("record_data", 50), "15s")
  event "leader-move topic=orders partition=0 to=2"
  event "leader-move topic=orders partition=0 to=3"
  sleep("1s")
  event "topic-recreate topic=orders"
  sleep("1s")
  second:start()
  await(second:exited(0), "15s")
  await(t:read(150), "10s")
end)
must(delivery.no_loss())
must(read.everything(t))
must(read.consistent(c, t))
