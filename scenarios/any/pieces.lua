-- Every answer arrives in pieces.
scenario {
  name = "any/pieces",
  claim = "A program goes on when answers arrive in pieces of seven bytes.",
  see = "C-01", timeout = "300s",
}
cluster { brokers = 3, auto_create = true, default_partitions = 3 }
client("it", { speaks = "none" })
rule("pieces", "any -> chunk 7")
