-- A commit is taken for one partition and refused for the other, with an error that no time mends.
scenario {
  name = "offsets/commit-refused",
  claim = "What a commit came to is told for each partition: one that was refused is not told as committed.",
  see = "G-17", timeout = "60s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 2, records = 100 })
local c = lib.consumer(t, { args = { max_messages = 100 } })
local refused = rule("refused", "OffsetCommit group=readers topic=orders partition=1 -> error INVALID_COMMIT_OFFSET_SIZE")
timeline(function()
  c:start()
  await(refused:fired(), "20s")
  await(c:exited(), "30s")
end)
must(offsets.committed_as_told(c, t), { optional = true }) -- who gives up at the first refusal says nothing
