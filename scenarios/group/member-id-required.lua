-- The coordinator gives a new member its id first (KIP-394), and only then lets it in.
scenario {
  name = "group/member-id-required",
  claim = "A member joins with exactly the id that MEMBER_ID_REQUIRED told it.",
  see = "G-07; KIP-394", timeout = "40s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 1, records = 30 })
local c = lib.consumer(t, { args = { max_messages = 30 } })
timeline(function()
  c:start()
  await(c:exited(0), "20s")
end)
must(read.everything(c, t))
-- JoinGroup before version 4 has no such error: group.member_id judges, in every scenario, those that were told one.
