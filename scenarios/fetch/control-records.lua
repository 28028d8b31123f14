-- Markers of transactions lie between the records. They are the log's own; even who reads uncommitted data is not given them.
scenario {
  name = "fetch/control-records",
  claim = "Control records are not given to the application, and their offsets are passed over.",
  see = "F-05; KIP-98", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1 })
local x = client("x", {
  speaks = "transactional",
  args = { topic = t, transactional_id = "writer", max_messages = 30, transaction_size = 5, abort_every = 3 },
})
local c = lib.consumer(t, { args = { max_messages = 30 }, config = { ["isolation.level"] = "read_uncommitted" } })
timeline(function()
  x:start()
  await(x:exited(0), "15s")
  c:start()
  await(c:exited(), "10s")
end)
must(read.no_control_records(c))
must(read.consistent(c, t))
must(read.once(c))
