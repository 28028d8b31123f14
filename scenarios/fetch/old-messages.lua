-- A log that is older than record batches: single messages, and messages compressed in another one, which say their
-- offsets in two ways (KIP-31). Brokers give them as they lie there. The first reader stops inside a compressed one.
scenario {
  name = "fetch/old-messages",
  claim = "Messages of before there were record batches are given at their offsets, whatever they are mixed with.",
  see = "F-13; KIP-31, KIP-32", timeout = "40s",
  matrix = { what = { "magic-0", "magic-1", "mixed" } },
}
local lib = use("../_subjects")
local logs = {
  ["magic-0"] = { { records = 3, magic = 0 }, { records = 8, magic = 0, codec = "gzip" }, { records = 2, magic = 0, gap = 5 },
    { records = 4, magic = 0, codec = "gzip" } },
  ["magic-1"] = { { records = 3, magic = 1 }, { records = 8, magic = 1, codec = "gzip" }, { records = 2, magic = 1, gap = 5 },
    { records = 4, magic = 1, codec = "gzip" } },
  mixed = { { records = 2, magic = 0 }, { records = 3, magic = 0, codec = "gzip" }, { records = 1, magic = 1 },
    { records = 6, magic = 1, codec = "gzip" }, { records = 2 }, { records = 3, codec = "gzip" } },
}
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, log = logs[case.what] })
local a = lib.consumer(t, { name = "a", args = { max_messages = 9 } })
local b = lib.consumer(t, { name = "b", args = { max_messages = 8 } })
timeline(function()
  a:start()
  await(a:exited(0), "18s")
  b:start()
  await(b:exited(0), "18s")
end)
must(read.consistent())
must(read.once())
must(read.everything())
