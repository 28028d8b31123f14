-- Three members, one after the other, share six partitions; then they go one after the other.
scenario {
  name = "group/three-members",
  claim = "Members that come and go share all partitions, each with one owner.",
  see = "G-10", timeout = "45s",
}
local lib = use("../_subjects")
local t = cluster { brokers = 1 }:topic("orders", { partitions = 6 })
local a, b, c = lib.consumer(t, { name = "a" }), lib.consumer(t, { name = "b" }), lib.consumer(t, { name = "c" })
local p = lib.producer(t, { args = { max_messages = 240, repeating_keys = 60 } })
timeline(function()
  a:start()
  await(members("readers", 1), "15s")
  b:start()
  c:start()
  await(members("readers", 3), "20s")
  p:start()
  await(p:exited(0), "10s")
  await(all(a:reported("record_data"), b:reported("record_data"), c:reported("record_data")), "10s")
  b:stop()
  await(members("readers", 2), "15s")
  c:stop()
  await(members("readers", 1), "15s")
  await(t:read(240), "15s")
end)
must(group.one_owner("readers"))
must(group.one_join("readers"))
must(group.assigns_each_once("readers"))
must(group.commits_its_own("readers"))
must(read.everything())
