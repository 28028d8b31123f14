-- The connection ends in the middle of a Fetch answer.
scenario {
  name = "fetch/cut-answer",
  claim = "Half a Fetch answer gives no record, and the position stays.",
  see = "C-03, F-10", timeout = "40s",
  matrix = { how = { "close at=300", "reset at=300", "cut 300" } },
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 200 })
local c = lib.consumer(t, { args = { max_messages = 200 }, config = { ["request.timeout.ms"] = 3000 } })
local cut = rule("cut", "Fetch topic=orders nth=1 -> " .. case.how)
timeline(function()
  c:start()
  await(cut:fired(), "10s")
  if case.how == "cut 300" then -- the frame is whole and its content is not: a client may give up; its next life reads on
    await(any(c:exited(), c:reported("records_consumed", 10)), "18s")
    c:stop()
    await(c:exited(), "10s")
    c:start()
  end
  await(c:reported("record_data", 200), "18s")
end)
must(read.consistent(c, t))
must(read.no_skip(c, t))
if case.how ~= "cut 300" then must(read.once(c, t)) end
