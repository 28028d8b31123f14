-- Fetch answers trickle at a few KiB a second. Slow is not dead.
scenario {
  name = "connect/trickle",
  claim = "A slow answer is waited for and read to its end.",
  see = "C-01", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 400 })
local c = lib.consumer(t, { args = { max_messages = 400 } })
rule("trickle", "Fetch -> slow 4KiB/s")
timeline(function()
  c:start()
  await(c:exited(0), "20s")
end)
must(read.everything(c, t))
must(read.once(c, t))
must(read.consistent(c, t))
