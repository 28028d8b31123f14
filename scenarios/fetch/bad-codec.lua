-- A batch that nobody can expand, with a right checksum: a codec that there is not, or bytes that are no gzip.
scenario {
  name = "fetch/bad-codec",
  claim = "A batch that can't be read is not passed over in silence.",
  see = "F-12", timeout = "30s",
  matrix = { codec = { "unknown", "gzip" } },
}
local lib = use("../_subjects")
local bad = {
  unknown = "00000000000000000000005f00000000023d90567f0007000000010000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff00000002746865736520617265206e6f207265636f72647320617420616c6c2c20636f6d70726573736564206f72206e6f74",
  gzip = "00000000000000000000005f0000000002d4cdcbe20001000000010000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff00000002746865736520617265206e6f207265636f72647320617420616c6c2c20636f6d70726573736564206f72206e6f74",
}
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, log = {
  { records = 5 }, { hex = bad[case.codec] }, { records = 5 } } })
local c = lib.consumer(t, { config = { ["fetch.max.bytes"] = 1 } }) -- an answer for each batch
timeline(function()
  c:start()
  await(c:reported("record_data", 5), "10s")
  sleep("2s")
end)
must(read.nothing_passed_over(c, t))
must(read.consistent(c, t))
