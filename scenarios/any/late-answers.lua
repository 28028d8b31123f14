-- Every tenth answer is late.
scenario {
  name = "any/late-answers",
  claim = "A program goes on when answers are late.",
  see = "C-10", timeout = "300s",
}
cluster { brokers = 3, auto_create = true, default_partitions = 3 }
client("it", { speaks = "none" })
rule("late", "any every=10 -> delay 50ms..300ms after")
