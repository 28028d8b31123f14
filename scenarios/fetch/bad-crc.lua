-- A batch arrives with a wrong checksum. What it holds must not be given to anybody.
scenario {
  name = "fetch/bad-crc",
  claim = "Records of a batch with a wrong CRC are not given.",
  see = "F-09", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 300 })
local c = lib.consumer(t, { args = { max_messages = 300 }, config = { ["max.partition.fetch.bytes"] = 1200, ["fetch.max.bytes"] = 1200 } })
-- A bit of a byte in the middle of the records. A record has some 14 bytes, half of them its value: one of these is hit,
-- whatever the version's fields before the records.
local flipped = rule("flipped", "Fetch topic=orders nth=2 -> flip 500")
for nth = 3, 10 do -- where a value lies depends on the answer's version
  rule("flipped-" .. nth, "Fetch topic=orders nth=" .. nth .. " -> flip " .. 500 + 3 * nth, { optional = true })
end
timeline(function()
  c:start()
  await(flipped:fired(), "10s")
  await(any(c:exited(), c:reported("records_consumed", 3)), "15s")
  sleep("500ms")
end)
must(read.consistent(c, t))
must(read.nothing_passed_over(c, t))
